package spool

import (
	"encoding/json"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/reason"
)

// delivered makes the receipt durable, and then removes the data.
func (s *Spool) delivered(r *record, head *Header, result json.RawMessage) {
	if !json.Valid(result) {
		result = nil
	}
	now := time.Now().UTC().Round(0)
	rec := &receipt{
		ID: head.ID, Destination: head.Destination, Name: head.Name, Key: head.Key, UID: head.UID, Size: r.size, CRC32C: r.crc,
		Received: head.Received, Delivered: now, Attempts: r.attempts() + 1, Result: result,
	}
	if r.idem != (idem{}) {
		rec.Idem = r.idem[:]
	}
	ref, err := s.receipts.append(rec)
	switch {
	case err == nil:
		s.unlink(r)
	case full(err):
		// Removing the object makes room for its receipt on a full disk. A crash
		// between the two steps loses the receipt, not the object.
		s.unlink(r)
		if ref, err = s.receipts.append(rec); err != nil {
			ref = receiptRef{idem: r.idem, lost: rec}
			s.events.emit(Event{Kind: EventReceiptLost, ID: rec.ID, Destination: rec.Destination, UID: rec.UID, Err: err})
		}
	default:
		s.receiptFailed(r, result, err)
		return
	}

	s.index.mu.Lock()
	l := r.queue
	s.scheduler.succeeded(l)
	s.index.forget(r)
	s.index.done[r.id] = ref
	if ref.idem != (idem{}) {
		s.index.idems[ref.idem] = r.id
	}
	resumed := l.parked != nil
	l.parked = nil
	s.changes.settled(r.id)
	s.index.mu.Unlock()

	s.events.emit(Event{
		Kind: EventDelivered, ID: rec.ID, Destination: rec.Destination, UID: rec.UID, Size: rec.Size,
		Attempts: rec.Attempts, Delay: now.Sub(rec.Received),
	})
	if resumed {
		s.events.emit(Event{Kind: EventResumed, Destination: rec.Destination})
	}
}

// unlink removes the files of a delivered object.
func (s *Spool) unlink(r *record) {
	s.dir.removeQuietly(nameOf(r.id, dirQueue, extObject))
	s.index.mu.Lock()
	journaled := r.journaled
	s.index.mu.Unlock()
	if journaled {
		s.dir.removeQuietly(nameOf(r.id, dirQueue, extJournal))
	}
}

// receiptFailed keeps a delivered object whose receipt could not be written. Only
// the receipt is written again, S3 has the object.
func (s *Spool) receiptFailed(r *record, result json.RawMessage, err error) {
	s.index.mu.Lock()
	t := r.failing()
	t.attempts++
	t.delivered, t.result, t.err, t.reason = true, result, err.Error(), reason.Receipt
	wait := backoff(t.attempts, retryBase, s.scheduler.rand)
	t.next = time.Now().Add(wait)
	event := Event{
		Kind:        EventRetried,
		ID:          r.id.String(),
		Destination: r.queue.name,
		UID:         r.uid,
		Size:        r.size,
		Reason:      string(t.reason),
		Err:         err,
		Attempts:    t.attempts,
		Delay:       wait,
	}
	s.scheduler.back(r)
	s.index.mu.Unlock()
	s.events.emit(event)
}

// failed settles a failed attempt.
func (s *Spool) failed(r *record, epoch int, f awserr.Failure) {
	if f.Disposition == awserr.Dead {
		why := cause{Reason: f.Reason, Error: f.Err.Error(), At: time.Now().UTC()}
		if err := s.dir.moveToDead(r.id, why); err != nil {
			// It stays in the queue; the next attempt will have the same result.
			f = awserr.Failure{Disposition: awserr.Retry, Reason: f.Reason, Err: err}
		}
	}
	now := time.Now()
	s.index.mu.Lock()
	l := r.queue
	t := r.failing()
	t.attempts++
	t.reason, t.err = f.Reason, f.Err.Error()
	event := Event{
		ID:          r.id.String(),
		Destination: l.name,
		UID:         r.uid,
		Size:        r.size,
		Reason:      string(f.Reason),
		Err:         f.Err,
		Attempts:    t.attempts,
	}
	if f.Throttled {
		l.window.throttled(epoch)
	}
	switch f.Disposition {
	case awserr.Dead:
		event.Kind = EventDead
		s.scheduler.died(r)
		t.next = time.Time{}
		s.changes.settled(r.id)
	default:
		event.Kind = EventRetried
		event.Delay = max(backoff(t.attempts, retryBase, s.scheduler.rand), f.After)
		t.next = now.Add(event.Delay)
		if f.Disposition == awserr.Park || l.parked != nil {
			if s.scheduler.park(r, f, now, &event) {
				t.next = time.Time{} // the object waits as long as its destination
			}
		} else {
			s.scheduler.pauseQueue(l, f, now)
		}
		s.scheduler.back(r)
	}
	s.index.mu.Unlock()
	s.events.emit(event)
}
