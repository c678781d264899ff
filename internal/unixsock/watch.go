package unixsock

import (
	"errors"
	"os"
	"sync/atomic"
	"time"
)

// Watch is a running observation of a peer; see FileConn.Watch.
type Watch struct {
	c       *FileConn
	stopped atomic.Bool
	done    chan struct{}
}

// Watch calls left, from another goroutine, when the peer closes its side or sends
// anything. Until Stop returns, the caller does not read from c.
func (c *FileConn) Watch(left func()) (*Watch, error) {
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	w := &Watch{c: c, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		var one [1]byte
		_, err := c.conn.Read(one[:])
		if err == nil || !w.stopped.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			left()
		}
	}()
	return w, nil
}

// Stop ends the observation. It may be called twice.
func (w *Watch) Stop() {
	w.stopped.Store(true)
	w.c.interruptRead()
	<-w.done
}
