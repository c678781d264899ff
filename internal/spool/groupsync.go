package spool

import "sync"

// committer lets concurrent callers share one sync. Who comes while one is under
// way waits for the next, since the present one may have begun before its write.
// A caller that is alone waits for nobody.
//
// The kernel tells once that it gave dirty pages up, and calls the next sync a
// success. So a failure is told to everybody who was waiting then, too: what they
// wrote may have been among those pages.
type committer struct {
	sync  func() error
	final bool // a failure is the last word, as of a file's data

	running sync.Mutex
	mu      sync.Mutex
	next    *round
	fails   int   // syncs that failed
	err     error // of the last of them
}

type round struct {
	done  chan struct{}
	fails int // when the first caller came
	err   error
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
	r = &round{done: make(chan struct{}), fails: c.fails}
	c.next = r
	c.mu.Unlock()

	c.running.Lock()
	c.mu.Lock()
	c.next = nil
	if c.fails > r.fails || c.final && c.fails > 0 {
		r.err = c.err
	}
	c.mu.Unlock()
	if r.err == nil {
		if r.err = c.sync(); r.err != nil {
			c.mu.Lock()
			c.fails, c.err = c.fails+1, r.err
			c.mu.Unlock()
		}
	}
	c.running.Unlock()
	close(r.done)
	return r.err
}
