package spool

import (
	"slices"
	"sync"

	"github.com/oklog/ulid/v2"
)

// changes wakes the scheduler, the calls that wait for one object, and the calls that
// wait for any change. Its methods are called with the mutex held, unless they say that
// they take it.
type changes struct {
	mu      *sync.Mutex // of the index
	wake    chan struct{}
	waiters map[ulid.ULID][]chan struct{}
	changed chan struct{} // closed at the next change; nil when no call waits
}

func newChanges(mu *sync.Mutex) *changes {
	return &changes{mu: mu, wake: make(chan struct{}, 1), waiters: map[ulid.ULID][]chan struct{}{}}
}

// notify wakes the scheduler and the calls that wait for a change.
func (c *changes) notify() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// settled wakes the calls that wait for one object.
func (c *changes) settled(id ulid.ULID) {
	for _, w := range c.waiters[id] {
		close(w)
	}
	delete(c.waiters, id)
	c.notify()
}

// wait returns a channel that is closed when the object is settled.
func (c *changes) wait(id ulid.ULID) chan struct{} {
	w := make(chan struct{})
	c.waiters[id] = append(c.waiters[id], w)
	return w
}

// next returns a channel that is closed at the next change.
func (c *changes) next() <-chan struct{} {
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}

// unwait ends the wait of a call. It takes the mutex.
func (c *changes) unwait(id ulid.ULID, w chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := slices.DeleteFunc(c.waiters[id], func(o chan struct{}) bool { return o == w })
	if len(left) == 0 {
		delete(c.waiters, id)
	} else {
		c.waiters[id] = left
	}
}
