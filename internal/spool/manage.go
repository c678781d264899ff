package spool

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
)

// Filter chooses objects. An empty field chooses all.
type Filter struct {
	Destination string
	States      []State
	UID         *uint32
}

// List yields the queued, delivering, parked and dead objects, oldest first, and then
// the unreadable and quarantined files. It skips objects that are delivered or dropped
// meanwhile, and does not yield objects accepted after the call. It reads the header
// of each object when it yields it.
//
// The destination and the user of an unusable file are not known: List yields it for
// every destination and user.
func (s *Spool) List(f Filter) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		s.index.mu.Lock()
		ids := make([]ulid.ULID, 0, len(s.index.records))
		for id, r := range s.index.records {
			if f.takes(r.status(nil)) {
				ids = append(ids, id)
			}
		}
		s.index.mu.Unlock()
		slices.SortFunc(ids, ulid.ULID.Compare)
		for _, id := range ids {
			if st, ok := s.status(id); ok && f.takes(st) && !yield(st) {
				return
			}
		}
		for _, u := range s.unusable.list() {
			if (len(f.States) == 0 || slices.Contains(f.States, u.state)) && !yield(u.status()) {
				return
			}
		}
	}
}

func (f *Filter) takes(st Status) bool {
	return cmp.Or(f.Destination, st.Destination) == st.Destination &&
		(f.UID == nil || *f.UID == st.UID) &&
		(len(f.States) == 0 || slices.Contains(f.States, st.State))
}

// Retry moves dead objects back to the queue and makes waiting objects due now: the
// objects of ids, or all of a destination. A parked destination is probed at once.
// Unreadable files of ids, or all of them with a destination, are read again. Retry
// returns how many objects it rescheduled, and the joined errors of the others.
func (s *Spool) Retry(destination string, ids ...string) (int, error) {
	var chosen []ulid.ULID
	var failed error
	for _, id := range ids {
		u, err := ulid.ParseStrict(id)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("spool: %q: %w", id, ErrUnknown))
			continue
		}
		chosen = append(chosen, u)
	}
	if destination != "" {
		s.index.mu.Lock()
		for id, r := range s.index.records {
			if r.queue.name == destination && r.state != Delivering {
				chosen = append(chosen, id)
			}
		}
		s.index.mu.Unlock()
		slices.SortFunc(chosen, ulid.ULID.Compare)
		chosen = slices.Compact(chosen)
	}
	n, err := s.retryUnreadable(destination, &chosen)
	failed = errors.Join(failed, err)
	touched := map[*destQueue]bool{}
	for _, id := range chosen {
		l, err := s.revive(id)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		touched[l] = true
		n++
	}
	s.index.mu.Lock()
	now := time.Now()
	for l := range touched {
		if l.parked != nil {
			l.parked.nextProbe = now
		}
		l.pause = time.Time{}
		l.promoteAll(now)
	}
	s.changes.notify()
	s.index.mu.Unlock()
	return n, failed
}

// retryUnreadable reads unreadable files again: those of the chosen ids, which it
// takes off the list, or all of them when a destination is given.
func (s *Spool) retryUnreadable(destination string, chosen *[]ulid.ULID) (n int, failed error) {
	for _, u := range s.unusable.list() {
		named := u.id != (ulid.ULID{}) && slices.Contains(*chosen, u.id)
		if u.state == Quarantined {
			if named {
				*chosen = slices.DeleteFunc(*chosen, func(id ulid.ULID) bool { return id == u.id })
				failed = errors.Join(failed, fmt.Errorf("spool: %s: %w", u.text, ErrState))
			}
			continue
		}
		if !named && destination == "" {
			continue
		}
		if s.reread(u) == nil {
			n++
		} else if named {
			s.index.mu.Lock()
			text := u.text
			if now := s.unusable.files[u.name]; now != nil {
				text = now.text
			}
			s.index.mu.Unlock()
			failed = errors.Join(failed, fmt.Errorf("spool: %s: %w", text, ErrState))
		}
		*chosen = slices.DeleteFunc(*chosen, func(id ulid.ULID) bool { return id == u.id })
	}
	return n, failed
}

// revive makes one object due. The caller sorts its queue again (promoteAll).
func (s *Spool) revive(id ulid.ULID) (*destQueue, error) {
	r, mine, err := s.claims.claimObject(id)
	if err != nil {
		return nil, err
	}
	defer mine.release()
	s.index.mu.Lock()
	dead := r.state == Dead
	s.index.mu.Unlock()
	if dead {
		if err := s.dir.reviveFromDead(id); err != nil {
			return nil, err
		}
	}
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	if r.failure != nil {
		r.failure.next = time.Time{}
	}
	if dead {
		s.index.move(r, Queued)
		r.queue.put(r, time.Now())
	}
	return r.queue, nil
}
