package spool

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/reason"
)

// status returns the status of a record; head may be nil. mu is held.
func (r *record) status(head *Header) Status {
	st := Status{
		ID: r.id.String(), Destination: r.queue.name, State: r.state, UID: r.uid, Size: r.size, CRC32C: r.crc,
		Received: time.Unix(0, r.received).UTC(), Attempts: r.attempts(), NextTry: r.due(),
	}
	if head != nil {
		st.Name, st.Key = head.Name, head.Key
	}
	if t := r.failure; t != nil {
		st.LastError, st.LastReason = t.err, t.reason
	}
	if r.state != Queued {
		return st
	}
	switch p := r.queue.parked; {
	case !r.queue.known:
		st.State, st.LastReason = Parked, reason.UnknownDestination
	case p != nil:
		st.State, st.NextTry, st.LastReason = Parked, p.nextProbe, p.reason
		if st.LastError == "" {
			st.LastError = p.err
		}
	}
	return st
}

// Status describes an object. It reads the object's name and key from disk; they are
// empty when that fails.
func (s *Spool) Status(id string) (Status, bool) {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return Status{}, false
	}
	return s.status(u)
}

func (s *Spool) status(id ulid.ULID) (Status, bool) {
	s.index.mu.Lock()
	r := s.index.records[id]
	s.index.mu.Unlock()
	var head *Header
	if r != nil {
		// The file may move between the two directories meanwhile.
		for _, dir := range []string{dirQueue, dirDead} {
			if foot, err := s.dir.footerOf(id, nameOf(id, dir, extObject)); err == nil {
				head = &foot.header
				break
			}
		}
	}
	s.index.mu.Lock()
	if r := s.index.records[id]; r != nil {
		defer s.index.mu.Unlock()
		return r.status(head), true
	}
	ref, ok := s.index.done[id]
	u := s.unusable.of(id)
	s.index.mu.Unlock()
	switch {
	case !ok && u != nil:
		return u.status(), true
	case !ok:
		return Status{}, false
	}
	rec, err := s.receipts.read(ref)
	if err != nil {
		return Status{ID: id.String(), State: Delivered, LastError: err.Error(), Err: err}, true
	}
	return rec.status(), true
}

// Wait returns when the object is delivered, dead or quarantined. It waits for a
// parked and for an unreadable object. It returns ErrUnknown for an object that is
// unknown or dropped, and ctx's error.
func (s *Spool) Wait(ctx context.Context, id string) (Status, error) {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return Status{}, fmt.Errorf("spool: %q: %w", id, ErrUnknown)
	}
	for {
		s.index.mu.Lock()
		r := s.index.records[u]
		bad := s.unusable.of(u)
		if r == nil && (bad == nil || bad.state != Unreadable) || r != nil && r.state == Dead {
			s.index.mu.Unlock()
			st, ok := s.status(u)
			if !ok {
				return Status{}, fmt.Errorf("spool: %s: %w", id, ErrUnknown)
			}
			switch st.State {
			case Delivered, Dead, Quarantined:
				return st, nil
			}
			continue // an operator has retried it meanwhile
		}
		c := s.changes.wait(u)
		s.index.mu.Unlock()
		select {
		case <-c:
		case <-ctx.Done():
			s.changes.unwait(u, c)
			return Status{}, context.Cause(ctx)
		case <-s.life.Done():
			s.changes.unwait(u, c)
			return Status{}, ErrClosed
		}
	}
}

// Drained returns when nothing is queued or being delivered, but for parked
// destinations. Dead objects do not count. It returns ctx's error.
func (s *Spool) Drained(ctx context.Context) error {
	for {
		s.index.mu.Lock()
		waiting := 0
		for _, l := range s.index.order {
			waiting += l.delivering
			if l.known && l.parked == nil {
				waiting += l.queued
			}
		}
		if waiting == 0 {
			s.index.mu.Unlock()
			return nil
		}
		changed := s.changes.next()
		s.index.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.life.Done():
			return ErrClosed
		}
	}
}

// Usage describes the objects of one destination.
type Usage struct {
	Destination                               string
	Queued, Parked, Delivering, Dead          int
	QueuedBytes, ParkedBytes, DeliveringBytes int64
	DeadBytes                                 int64
	ReservedBytes                             int64     // all of the above, and uploads that are being received
	Oldest                                    time.Time // when the oldest waiting object was received; zero without one
	InFlight, Window                          int       // deliveries in flight, and their present limit
	Limits                                    Limits
	ParkedReason                              reason.Reason
	ParkedError                               string
	ParkedSince, NextProbe                    time.Time
}

// Usage describes every destination that is configured or has objects, sorted by
// name. In a large spool Oldest may be some seconds old.
func (s *Spool) Usage() []Usage {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	s.index.findOldest(time.Now())
	var out []Usage
	for _, l := range s.index.order {
		if !l.known && l.files == 0 {
			continue
		}
		u := Usage{
			Destination: l.name, Delivering: l.delivering, DeliveringBytes: l.deliveryBytes, Dead: l.dead, DeadBytes: l.deadBytes,
			ReservedBytes: l.bytes, InFlight: l.inFlight, Window: l.window.size(), Limits: l.limits,
			Queued: l.queued, QueuedBytes: l.queuedBytes,
		}
		if r := l.oldest; r != nil && l.queued+l.delivering > 0 {
			u.Oldest = time.Unix(0, r.received).UTC()
		}
		switch p := l.parked; {
		case !l.known:
			u.ParkedReason = reason.UnknownDestination
		case p != nil:
			u.ParkedReason, u.ParkedError, u.ParkedSince, u.NextProbe = p.reason, p.err, p.since, p.nextProbe
		}
		if u.ParkedReason != "" || l.parked != nil {
			u.Parked, u.ParkedBytes, u.Queued, u.QueuedBytes = u.Queued, u.QueuedBytes, 0, 0
		}
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b Usage) int {
		if a.Destination < b.Destination {
			return -1
		}
		return 1
	})
	return out
}
