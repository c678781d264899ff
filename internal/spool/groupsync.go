package spool

import "sync"

// groupSync lets concurrent callers share one sync. A caller that arrives during a
// sync waits for the next sync, because the current one may have begun before its
// write. A caller that is alone does not wait.
//
// The kernel reports a lost dirty page once, and the next sync succeeds. So every
// caller that waits during a failed sync gets the error: its own pages may have
// been among the lost ones.
type groupSync struct {
	sync  func() error
	final bool // after a failure all later calls fail, as for the data of a file

	running sync.Mutex
	mu      sync.Mutex
	next    *syncBatch
	fails   int   // failed syncs so far
	err     error // of the last failed sync
}

// syncBatch is the callers that share one sync.
type syncBatch struct {
	done  chan struct{}
	fails int // groupSync.fails when the first caller arrived
	err   error
}

// commit waits until a sync that began after the call has ended, and returns its error.
func (c *groupSync) commit() error {
	c.mu.Lock()
	r := c.next
	if r != nil {
		c.mu.Unlock()
		<-r.done
		return r.err
	}
	r = &syncBatch{done: make(chan struct{}), fails: c.fails}
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
