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

	s.mu.Lock()
	l := r.queue
	s.succeeded(l)
	s.forget(r)
	s.done[r.id] = ref
	if ref.idem != (idem{}) {
		s.idems[ref.idem] = r.id
	}
	resumed := l.parked != nil
	l.parked = nil
	s.settled(r.id)
	s.mu.Unlock()

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
	s.mu.Lock()
	journaled := r.journaled
	s.mu.Unlock()
	if journaled {
		s.dir.removeQuietly(nameOf(r.id, dirQueue, extJournal))
	}
}

// receiptFailed keeps a delivered object whose receipt could not be written. Only
// the receipt is written again, S3 has the object.
func (s *Spool) receiptFailed(r *record, result json.RawMessage, err error) {
	s.mu.Lock()
	t := r.failing()
	t.attempts++
	t.delivered, t.result, t.err, t.reason = true, result, err.Error(), reason.Receipt
	wait := backoff(t.attempts, retryBase, s.rand)
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
	s.back(r)
	s.mu.Unlock()
	s.events.emit(event)
}

// succeeded settles a successful delivery for its queue; mu is held.
func (s *Spool) succeeded(l *destQueue) {
	l.inFlight--
	s.delivering--
	l.streak = 0
	l.pause = time.Time{}
	l.window.success()
}

// forget removes a record from the index and releases its bytes; mu is held.
func (s *Spool) forget(r *record) {
	s.count(r, -1)
	r.dropped = true
	delete(s.records, r.id)
	if s.idems[r.idem] == r.id {
		delete(s.idems, r.idem)
	}
	s.release(r.queue, r.uid, r.size)
	r.queue.files--
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
	s.mu.Lock()
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
		l.inFlight--
		s.delivering--
		l.endProbe(r) // the failure concerns the object, not the destination
		t.next = time.Time{}
		s.move(r, Dead)
		s.settled(r.id)
	default:
		event.Kind = EventRetried
		event.Delay = max(backoff(t.attempts, retryBase, s.rand), f.After)
		t.next = now.Add(event.Delay)
		if f.Disposition == awserr.Park || l.parked != nil {
			if s.park(r, f, now, &event) {
				t.next = time.Time{} // the object waits as long as its destination
			}
		} else {
			s.pauseQueue(l, f, now)
		}
		s.back(r)
	}
	s.mu.Unlock()
	s.events.emit(event)
}

// park parks a queue, or schedules the next probe of a parked one; mu is held. It
// reports whether the queue was not parked before.
func (s *Spool) park(r *record, f awserr.Failure, now time.Time, event *Event) bool {
	l := r.queue
	p := l.parked
	fresh := p == nil
	if fresh {
		p = &parking{since: now}
		l.parked = p
	} else if p.probing != r {
		return false // the delivery began before the destination was parked
	}
	if f.Disposition == awserr.Park {
		p.reason, p.err = f.Reason, f.Err.Error()
	}
	p.failedProbes++
	wait := max(backoff(p.failedProbes, probeBase, s.rand), f.After)
	p.nextProbe = now.Add(wait)
	if fresh {
		event.Kind, event.Delay = EventParked, wait
	}
	return fresh
}

// pauseQueue pauses a queue in which every delivery fails. After each window of
// consecutive failures the pause doubles. mu is held.
func (s *Spool) pauseQueue(l *destQueue, f awserr.Failure, now time.Time) {
	l.streak++
	wait := time.Duration(0)
	if n := l.streak / max(l.window.size(), 1); n > 0 {
		wait = backoff(n, retryBase, s.rand)
	}
	if f.Throttled {
		wait = max(wait, f.After)
	}
	l.pause = later(l.pause, now.Add(wait))
}
