package s3client

import (
	"net"
	"sync"
)

// gather is a connection that holds what is written to it between hold and
// release, as far as its buffer goes. An error of the connection below is final,
// because nobody knows any more which of the records the peer has.
type gather struct {
	net.Conn
	bursts *bursts

	mu      sync.Mutex
	holding bool
	buf     *[]byte // nil unless something is held
	err     error
}

// Write implements net.Conn. What it takes while it holds counts as written.
func (g *gather) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	if !g.holding {
		return g.pass(p)
	}
	if g.buf != nil && len(*g.buf)+len(p) > cap(*g.buf) {
		if err := g.flush(); err != nil {
			return 0, err
		}
	}
	if g.buf == nil {
		g.buf = g.bursts.gathers.Get().(*[]byte)
	}
	if len(p) > cap(*g.buf) {
		return g.pass(p)
	}
	*g.buf = append(*g.buf, p...)
	return len(p), nil
}

// hold begins a burst.
func (g *gather) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holding = true
}

// release ends a burst: what is held leaves.
func (g *gather) release() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holding = false
	err := g.err
	if err == nil {
		err = g.flush()
	}
	if g.buf != nil {
		*g.buf = (*g.buf)[:0]
		g.bursts.gathers.Put(g.buf)
		g.buf = nil
	}
	return err
}

func (g *gather) flush() error {
	if g.buf == nil || len(*g.buf) == 0 {
		return nil
	}
	_, err := g.pass(*g.buf)
	*g.buf = (*g.buf)[:0]
	return err
}

func (g *gather) pass(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	if err != nil {
		g.err = err
	}
	return n, err
}
