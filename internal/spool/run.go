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
	s.index.mu.Lock()
	if s.closed || s.ran != nil {
		closed := s.closed
		s.index.mu.Unlock()
		if closed {
			return ErrClosed
		}
		return errors.New("spool: Run is already running")
	}
	ran := make(chan struct{})
	s.ran = ran
	s.index.mu.Unlock()
	defer func() {
		s.index.mu.Lock()
		s.ran = nil
		s.index.mu.Unlock()
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
		r, epoch, again := s.scheduler.pick(now)
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
		case <-s.changes.wake:
		case <-timer.C:
		}
	}
	return nil
}

// deliver makes one attempt and settles its result.
func (s *Spool) deliver(ctx context.Context, r *record, epoch int) {
	result, head, err := s.attempt(ctx, r)
	switch {
	case err == nil:
		s.delivered(r, head, result)
	case ctx.Err() != nil:
		// The attempt was stopped. It does not count as failed.
		s.index.mu.Lock()
		s.scheduler.back(r)
		s.index.mu.Unlock()
	default:
		s.failed(r, epoch, failureOf(err))
	}
}

func (s *Spool) attempt(ctx context.Context, r *record) (json.RawMessage, *Header, error) {
	s.index.mu.Lock()
	journaled, t := r.journaled, r.failure
	s.index.mu.Unlock()
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

// clean is one round of housekeeping.
func (s *Spool) clean(now time.Time) {
	s.removePending()
	if gone := s.receipts.expired(now, s.opts.ReceiptAge, s.opts.ReceiptCount, s.dir.unlinked); len(gone) > 0 {
		s.index.mu.Lock()
		for id, ref := range s.index.done {
			if gone[ref.log] {
				delete(s.index.done, id)
				if s.index.idems[ref.idem] == id {
					delete(s.index.idems, ref.idem)
				}
			}
		}
		s.index.mu.Unlock()
		for f := range gone {
			s.dir.removeQuietly(f.name)
		}
	}
	s.rewrite()
}

// rewrite writes the receipts for which the disk had no room.
func (s *Spool) rewrite() {
	lost := map[ulid.ULID]*receipt{}
	s.index.mu.Lock()
	for id, ref := range s.index.done {
		if ref.lost != nil {
			lost[id] = ref.lost
		}
	}
	s.index.mu.Unlock()
	for id, r := range lost {
		ref, err := s.receipts.append(r)
		if err != nil {
			return // the disk still has no room
		}
		s.index.mu.Lock()
		s.index.done[id] = ref
		s.index.mu.Unlock()
	}
}
