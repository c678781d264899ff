package spool

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/reason"
)

// housekeeping is the interval at which receipts are pruned, pending removals are
// repeated and unreadable files are read again.
const housekeeping = 10 * time.Minute

// Run delivers until ctx ends. It returns when the deliveries in flight have
// returned; unfinished objects stay queued. Call one Run at a time.
func (s *Spool) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.closed || s.ran != nil {
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return ErrClosed
		}
		return errors.New("spool: Run is already running")
	}
	ran := make(chan struct{})
	s.ran = ran
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.ran = nil
		s.mu.Unlock()
		close(ran)
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()

	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	clean := time.Now().Add(housekeeping)
	for ctx.Err() == nil {
		now := time.Now()
		reread := s.rereadDue(now)
		if !now.Before(clean) {
			s.clean(now)
			clean = now.Add(housekeeping)
		}
		r, epoch, again := s.pick(now)
		if r != nil {
			deliveries.Go(func() { s.deliver(ctx, r, epoch) })
			continue
		}
		for _, due := range []time.Time{clean, reread} {
			if !due.IsZero() && (again.IsZero() || again.After(due)) {
				again = due
			}
		}
		timer.Reset(time.Until(again))
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
	}
	return nil
}

// pick takes the next object to deliver, from the destinations in turn. Without
// one, it returns the time at which to ask again.
func (s *Spool) pick(now time.Time) (r *record, epoch int, again time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.delivering >= s.opts.Workers {
		return nil, 0, time.Time{}
	}
	for range s.order {
		l := s.order[s.cursor%len(s.order)]
		s.cursor = (s.cursor + 1) % len(s.order)
		r, next := l.take(now)
		if r != nil {
			s.move(r, Delivering)
			l.inFlight++
			s.delivering++
			return r, l.window.epoch, time.Time{}
		}
		if again.IsZero() || !next.IsZero() && next.Before(again) {
			again = next
		}
	}
	return nil, 0, again
}

// deliver makes one attempt and settles its result.
func (s *Spool) deliver(ctx context.Context, r *record, epoch int) {
	result, head, err := s.attempt(ctx, r)
	switch {
	case err == nil:
		s.delivered(r, head, result)
	case ctx.Err() != nil:
		// The attempt was stopped. It does not count as failed.
		s.mu.Lock()
		s.back(r)
		s.mu.Unlock()
	default:
		s.failed(r, epoch, failureOf(err))
	}
}

func (s *Spool) attempt(ctx context.Context, r *record) (json.RawMessage, *Header, error) {
	s.mu.Lock()
	journaled, t := r.journaled, r.failure
	s.mu.Unlock()
	e, err := s.openEntry(r.id, nameOf(r.id, dirQueue, extObject), journaled)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &awserr.Failure{Disposition: awserr.Dead, Reason: reason.Missing, Err: err}
	}
	if err != nil {
		return nil, nil, err
	}
	defer e.close()
	head := e.Header()
	if t != nil && t.delivered {
		return t.result, &head, nil
	}
	result, err := s.opts.Deliver(ctx, e)
	return result, &head, err
}

// back returns a record to its queue; mu is held.
func (s *Spool) back(r *record) {
	l := r.queue
	l.inFlight--
	s.delivering--
	l.endProbe(r)
	s.move(r, Queued)
	l.put(r, time.Now())
	s.notify()
}

// clean is one round of housekeeping.
func (s *Spool) clean(now time.Time) {
	s.removePending()
	if gone := s.receipts.expired(now, s.opts.ReceiptAge, s.opts.ReceiptCount, s.dir.unlinked); len(gone) > 0 {
		s.mu.Lock()
		for id, ref := range s.done {
			if gone[ref.log] {
				delete(s.done, id)
				if s.idems[ref.idem] == id {
					delete(s.idems, ref.idem)
				}
			}
		}
		s.mu.Unlock()
		for f := range gone {
			s.dir.removeQuietly(f.name)
		}
	}
	s.rewrite()
}

// rewrite writes the receipts for which the disk had no room.
func (s *Spool) rewrite() {
	lost := map[ulid.ULID]*receipt{}
	s.mu.Lock()
	for id, ref := range s.done {
		if ref.lost != nil {
			lost[id] = ref.lost
		}
	}
	s.mu.Unlock()
	for id, r := range lost {
		ref, err := s.receipts.append(r)
		if err != nil {
			return // the disk still has no room
		}
		s.mu.Lock()
		s.done[id] = ref
		s.mu.Unlock()
	}
}
