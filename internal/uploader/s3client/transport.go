package s3client

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// TransportOptions configure a transport. The zero value is usable.
type TransportOptions struct {
	// RootCAs are the trusted roots; nil means the system's.
	RootCAs *x509.CertPool
	// Proxy returns the proxy of a request, as http.ProxyFromEnvironment does; nil means
	// none. It is called once for each bucket, with a request that has only a URL.
	Proxy func(*http.Request) (*url.URL, error)
	// MaxIdleConns is how many idle connections are kept for each route; 0 means 128.
	MaxIdleConns int
	// IdleTimeout is how long an idle connection is kept; 0 means 90 seconds.
	IdleTimeout time.Duration
	// WriteBuffer is how many bytes of TLS records are combined into one write; 0 means
	// 128 KiB, above which throughput did not grow. A connection holds it only while it
	// writes.
	WriteBuffer int
	// DialTimeout bounds name resolution and TCP's connect; 0 means 5 seconds.
	DialTimeout time.Duration
	// StallTimeout bounds the wait for a peer that takes no byte at all; 0 means 30 seconds.
	StallTimeout time.Duration
}

const (
	defaultBatch     = 128 << 10
	defaultIdle      = 128
	handshakeTimeout = 10 * time.Second
	defaultStall     = 30 * time.Second
)

// Transport keeps connections to stores, and makes one request at a time on each:
// HTTP/1.1, with TLS written in batches. Share it: two transports share no connection.
// Its methods may be called from several goroutines.
type Transport struct {
	dial  *dialer
	proxy func(*http.Request) (*url.URL, error)
	most  int
	keep  time.Duration

	mu     sync.Mutex
	idle   map[route][]*conn // of each route, the last one used at the end
	reaper *time.Timer       // nil while no connection is idle
}

// NewTransport makes a transport for S3. It makes no connection.
func NewTransport(o TransportOptions) *Transport {
	return &Transport{
		proxy: o.Proxy, most: cmp.Or(o.MaxIdleConns, defaultIdle), keep: cmp.Or(o.IdleTimeout, 90*time.Second), idle: make(map[route][]*conn),
		dial: &dialer{
			tcp:     &net.Dialer{Timeout: cmp.Or(o.DialTimeout, 5*time.Second), KeepAlive: 30 * time.Second},
			stall:   cmp.Or(o.StallTimeout, defaultStall),
			buffers: newBatchBuffers(cmp.Or(o.WriteBuffer, defaultBatch)),
			tls: &tls.Config{
				MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs, NextProtos: []string{"http/1.1"},
				ClientSessionCache: tls.NewLRUClientSessionCache(64),
				// Small first records speed up the display of pages, and cost system calls here.
				DynamicRecordSizingDisabled: true,
			},
		},
	}
}

// exchange makes one request and reads its response. It sends the request once. Only
// when the store had closed a kept connection before any byte was sent, it sends the
// request on another one.
func (t *Transport) exchange(ctx context.Context, r route, out *outgoing) (*response, error) {
	for {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c := t.take(r)
		kept := c != nil
		if !kept {
			var err error
			if c, err = t.dial.connect(ctx, r); err != nil {
				return nil, err
			}
		}
		a, err := c.exchange(ctx, out)
		if err == nil && c.reusable {
			t.put(r, c)
			return a, nil
		}
		c.close()
		var body *bodyError
		if err != nil && kept && c.sent() == 0 && ctx.Err() == nil && !errors.As(err, &body) {
			continue
		}
		return a, err
	}
}

// take returns a kept connection, or nil.
func (t *Transport) take(r route) *conn {
	for {
		t.mu.Lock()
		list := t.idle[r]
		if len(list) == 0 {
			t.mu.Unlock()
			return nil
		}
		c := list[len(list)-1]
		t.idle[r] = list[:len(list)-1]
		t.mu.Unlock()
		if !c.stale() {
			return c
		}
		c.close()
	}
}

// put keeps a connection for another request.
func (t *Transport) put(r route, c *conn) {
	c.idleAt = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.idle[r]) >= t.most {
		go c.close() // TLS's closing alert may block
		return
	}
	t.idle[r] = append(t.idle[r], c)
	if t.reaper == nil {
		t.reaper = time.AfterFunc(t.keep, t.reap)
	}
}

// reap closes connections that were idle for too long, and is scheduled again while
// there are others.
func (t *Transport) reap() {
	var old []*conn
	t.mu.Lock()
	next := time.Duration(0)
	for r, list := range t.idle {
		n := 0
		for n < len(list) && time.Since(list[n].idleAt) >= t.keep {
			n++
		}
		old = append(old, list[:n]...)
		if list = append([]*conn(nil), list[n:]...); len(list) == 0 {
			delete(t.idle, r)
			continue
		}
		t.idle[r] = list
		if wait := t.keep - time.Since(list[0].idleAt); next == 0 || wait < next {
			next = max(wait, time.Millisecond)
		}
	}
	if next > 0 {
		t.reaper.Reset(next)
	} else {
		t.reaper = nil
	}
	t.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

// CloseIdleConnections closes the connections that no request uses.
func (t *Transport) CloseIdleConnections() {
	t.mu.Lock()
	all := t.idle
	t.idle = make(map[route][]*conn)
	if t.reaper != nil {
		t.reaper.Stop()
		t.reaper = nil
	}
	t.mu.Unlock()
	for _, list := range all {
		for _, c := range list {
			c.close()
		}
	}
}
