package vend

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// conns bounds the connections of a server. When all are in use, a new one takes the
// place of the connection that costs its owner least: the oldest that has sent no whole
// request yet, or else the one that is idle for longest. So silent connections cannot
// keep a caller out. While all are busy with requests, the new one is closed.
type conns struct {
	most int

	mu   sync.Mutex // guards the fields below
	open map[net.Conn]*use
	tick uint64 // orders changes of state
}

// use is the use of a connection.
type use struct {
	state useState
	since uint64 // the tick of the last change of state
}

type useState int

const (
	silent useState = iota // no whole request has come
	idle                   // between two requests
	busy                   // a request is answered
)

func newConns(most int) *conns { return &conns{most: most, open: make(map[net.Conn]*use)} }

type connKey struct{}

// context is the ConnContext of a server.
func (c *conns) context(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// mark returns h, and marks the connections whose requests it answers.
func (c *conns) mark(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			c.set(conn, busy)
			defer c.set(conn, idle)
		}
		h.ServeHTTP(w, r)
	})
}

func (c *conns) set(conn net.Conn, s useState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.open[conn]; u != nil {
		c.tick++
		u.state, u.since = s, c.tick
	}
}

// observe is the ConnState of a server.
func (c *conns) observe(conn net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		_ = c.admit(conn).Close() // the server notices, and StateClosed follows
	case http.StateClosed, http.StateHijacked:
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, conn)
	}
}

// closer is a connection to close; nil: none.
type closer struct{ net.Conn }

// Close implements io.Closer.
func (c closer) Close() error {
	if c.Conn == nil {
		return nil
	}
	return c.Conn.Close()
}

// admit counts a new connection, and returns the one that has to go.
func (c *conns) admit(conn net.Conn) closer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tick++
	var victim net.Conn
	if len(c.open) >= c.most {
		if victim = c.leastUsed(); victim == nil {
			return closer{conn}
		}
		delete(c.open, victim)
	}
	c.open[conn] = &use{silent, c.tick}
	return closer{victim}
}

// leastUsed returns the connection to close first; nil when all are busy. mu is held.
func (c *conns) leastUsed() (victim net.Conn) {
	var least *use
	for conn, u := range c.open {
		if u.state == busy {
			continue
		}
		if least == nil || u.state < least.state || u.state == least.state && u.since < least.since {
			victim, least = conn, u
		}
	}
	return victim
}
