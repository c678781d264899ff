package spool

import "sync"

// committer lets concurrent callers share one sync. Who comes while one is under
// way waits for the next, since the present one may have begun before its write.
// A caller that is alone waits for nobody.
type committer struct {
	sync func() error

	running sync.Mutex
	mu      sync.Mutex
	next    *round
}

type round struct {
	done chan struct{}
	err  error
}

// commit returns when a sync that began after the call has ended, with its error.
func (c *committer) commit() error {
	c.mu.Lock()
	r := c.next
	if r != nil {
		c.mu.Unlock()
		<-r.done
		return r.err
	}
	r = &round{done: make(chan struct{})}
	c.next = r
	c.mu.Unlock()

	c.running.Lock()
	c.mu.Lock()
	c.next = nil
	c.mu.Unlock()
	r.err = c.sync()
	c.running.Unlock()
	close(r.done)
	return r.err
}
