package spool

import (
	"context"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"
)

// claims holds the ids and idempotency keys that calls work on. The mutex of the index
// guards it; a method takes it, unless its comment says that it is held.
type claims struct {
	index    *index
	unusable *unusableFiles
	life     context.Context // of the spool: its end ends every wait
	held     map[claimKey]*claim
}

// claimKey is an id or an idempotency key that one call works on at a time.
type claimKey struct {
	idem bool
	sum  [16]byte
}

// claim is the exclusive use of an id, and of an idempotency key with it.
type claim struct {
	of   *claims
	keys []claimKey
	done chan struct{} // closed by release
}

// take claims keys that no other call holds. The mutex of the index is held.
func (c *claims) take(keys ...claimKey) *claim {
	mine := &claim{of: c, keys: keys, done: make(chan struct{})}
	for _, k := range keys {
		c.held[k] = mine
	}
	return mine
}

// release lets the next call have the keys. A nil claim holds none.
func (c *claim) release() {
	if c == nil {
		return
	}
	c.of.index.mu.Lock()
	for _, k := range c.keys {
		delete(c.of.held, k)
	}
	c.of.index.mu.Unlock()
	close(c.done)
}

// claim makes the caller the only user of this id and this key. Without a claim and an
// error, the object is known already, as earlier.
func (c *claims) claim(ctx context.Context, id ulid.ULID, key idem, h *Header) (earlier ulid.ULID, mine *claim, err error) {
	keys := []claimKey{{false, id}}
	if key != (idem{}) {
		keys = append(keys, claimKey{true, key})
	}
	for {
		c.index.mu.Lock()
		if earlier, known, err := c.find(id, key, h); known || err != nil {
			c.index.mu.Unlock()
			return earlier, nil, err
		}
		var other *claim
		for _, k := range keys {
			if other == nil {
				other = c.held[k]
			}
		}
		if other == nil {
			mine := c.take(keys...)
			c.index.mu.Unlock()
			return id, mine, nil
		}
		c.index.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return id, nil, context.Cause(ctx)
		case <-c.life.Done():
			return id, nil, ErrClosed
		}
	}
}

// find returns the object that an Accept would repeat. The mutex of the index is held.
func (c *claims) find(id ulid.ULID, key idem, h *Header) (ulid.ULID, bool, error) {
	if key != (idem{}) {
		if earlier, ok := c.index.idems[key]; ok {
			return earlier, true, nil
		}
	}
	if r := c.index.records[id]; r != nil {
		if r.uid != h.UID || r.queue.name != h.Destination {
			return id, false, fmt.Errorf("spool: %s: %w", id, ErrConflict)
		}
		return id, true, nil
	}
	if _, ok := c.index.done[id]; ok {
		return id, true, nil
	}
	if u := c.unusable.files[nameOf(id, dirDead, extObject)]; u != nil {
		return id, false, ioError("open", u.name, errors.New(u.text))
	}
	if l := c.index.queues[h.Destination]; l == nil || !l.known {
		return id, false, fmt.Errorf("spool: destination %q: %w", h.Destination, ErrUnknownDestination)
	}
	return id, false, nil
}

// claimObject claims the id of an object. It fails for an object that is in delivery or
// in use by another call.
func (c *claims) claimObject(id ulid.ULID) (r *record, mine *claim, err error) {
	c.index.mu.Lock()
	defer c.index.mu.Unlock()
	key := claimKey{false, id}
	r = c.index.records[id]
	_, delivered := c.index.done[id]
	switch {
	case delivered:
		return nil, nil, fmt.Errorf("spool: %s is delivered: %w", id, ErrState)
	case r == nil:
		return nil, nil, fmt.Errorf("spool: %s: %w", id, ErrUnknown)
	case r.state == Delivering:
		return nil, nil, fmt.Errorf("spool: %s is being delivered: %w", id, ErrState)
	case c.held[key] != nil:
		return nil, nil, fmt.Errorf("spool: %s is in use by another command: %w", id, ErrState)
	}
	return r, c.take(key), nil
}

// claimUnused claims an id that no object has. It returns nil when an object has it, or
// another call uses it.
func (c *claims) claimUnused(id ulid.ULID) *claim {
	c.index.mu.Lock()
	defer c.index.mu.Unlock()
	key := claimKey{false, id}
	if c.index.records[id] != nil || c.held[key] != nil {
		return nil
	}
	return c.take(key)
}
