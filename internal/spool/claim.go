package spool

import (
	"context"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"
)

// claimKey is an id or an idempotency key that one call works on at a time.
type claimKey struct {
	idem bool
	sum  [16]byte
}

// claim is the exclusive use of an id, and of an idempotency key with it.
type claim struct {
	s    *Spool
	keys []claimKey
	done chan struct{} // closed by release
}

// take claims keys that no other call holds; mu is held.
func (s *Spool) take(keys ...claimKey) *claim {
	c := &claim{s: s, keys: keys, done: make(chan struct{})}
	for _, k := range keys {
		s.claims[k] = c
	}
	return c
}

// release lets the next call have the keys. A nil claim holds none.
func (c *claim) release() {
	if c == nil {
		return
	}
	c.s.mu.Lock()
	for _, k := range c.keys {
		delete(c.s.claims, k)
	}
	c.s.mu.Unlock()
	close(c.done)
}

// claim makes the caller the only user of this id and this key. Without a claim and an
// error, the object is known already, as earlier.
func (s *Spool) claim(ctx context.Context, id ulid.ULID, key idem, h *Header) (earlier ulid.ULID, mine *claim, err error) {
	keys := []claimKey{{false, id}}
	if key != (idem{}) {
		keys = append(keys, claimKey{true, key})
	}
	for {
		s.mu.Lock()
		if earlier, known, err := s.find(id, key, h); known || err != nil {
			s.mu.Unlock()
			return earlier, nil, err
		}
		var other *claim
		for _, k := range keys {
			if other == nil {
				other = s.claims[k]
			}
		}
		if other == nil {
			mine := s.take(keys...)
			s.mu.Unlock()
			return id, mine, nil
		}
		s.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return id, nil, context.Cause(ctx)
		case <-s.life.Done():
			return id, nil, ErrClosed
		}
	}
}

// find returns the object that an Accept would repeat; mu is held.
func (s *Spool) find(id ulid.ULID, key idem, h *Header) (ulid.ULID, bool, error) {
	if key != (idem{}) {
		if earlier, ok := s.idems[key]; ok {
			return earlier, true, nil
		}
	}
	if r := s.records[id]; r != nil {
		if r.uid != h.UID || r.queue.name != h.Destination {
			return id, false, fmt.Errorf("spool: %s: %w", id, ErrConflict)
		}
		return id, true, nil
	}
	if _, ok := s.done[id]; ok {
		return id, true, nil
	}
	if u := s.unrecovered[nameOf(id, dirDead, extObject)]; u != nil {
		return id, false, ioError("open", u.name, errors.New(u.text))
	}
	if l := s.queues[h.Destination]; l == nil || !l.known {
		return id, false, fmt.Errorf("spool: destination %q: %w", h.Destination, ErrUnknownDestination)
	}
	return id, false, nil
}

// claimObject claims the id of an object. It fails for an object that is in delivery or
// in use by another call.
func (s *Spool) claimObject(id ulid.ULID) (r *record, mine *claim, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := claimKey{false, id}
	r = s.records[id]
	_, delivered := s.done[id]
	switch {
	case delivered:
		return nil, nil, fmt.Errorf("spool: %s is delivered: %w", id, ErrState)
	case r == nil:
		return nil, nil, fmt.Errorf("spool: %s: %w", id, ErrUnknown)
	case r.state == Delivering:
		return nil, nil, fmt.Errorf("spool: %s is being delivered: %w", id, ErrState)
	case s.claims[key] != nil:
		return nil, nil, fmt.Errorf("spool: %s is in use by another command: %w", id, ErrState)
	}
	return r, s.take(key), nil
}

// claimUnused claims an id that no object has. It returns nil when an object has it, or
// another call uses it.
func (s *Spool) claimUnused(id ulid.ULID) *claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := claimKey{false, id}
	if s.records[id] != nil || s.claims[key] != nil {
		return nil
	}
	return s.take(key)
}
