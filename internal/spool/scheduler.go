package spool

import (
	"math/rand/v2"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
)

// scheduler chooses the next delivery, and decides after each when its object and its
// destination may be tried again. At most workers deliveries are in flight. Its methods
// are called with the mutex of the index held, unless they say that they take it.
type scheduler struct {
	index      *index
	changes    *changes
	workers    int
	rand       *rand.Rand // for jitter
	cursor     int        // the destination whose turn it is
	delivering int
}

// pick takes the next object to deliver, from the destinations in turn. Without
// one, it returns the time at which to ask again. It takes the mutex of the index.
func (s *scheduler) pick(now time.Time) (r *record, epoch int, again time.Time) {
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	if s.delivering >= s.workers {
		return nil, 0, time.Time{}
	}
	for range s.index.order {
		l := s.index.order[s.cursor%len(s.index.order)]
		s.cursor = (s.cursor + 1) % len(s.index.order)
		r, next := l.take(now)
		if r != nil {
			s.index.move(r, Delivering)
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

// ended counts a delivery that has ended, whatever its result.
func (s *scheduler) ended(l *destQueue) {
	l.inFlight--
	s.delivering--
}

// back returns a record to its queue.
func (s *scheduler) back(r *record) {
	l := r.queue
	s.ended(l)
	l.endProbe(r)
	s.index.move(r, Queued)
	l.put(r, time.Now())
	s.changes.notify()
}

// succeeded settles a successful delivery for its queue.
func (s *scheduler) succeeded(l *destQueue) {
	s.ended(l)
	l.streak = 0
	l.pause = time.Time{}
	l.window.success()
}

// died settles the delivery of an object that can never be delivered. The failure
// concerns the object, not the destination.
func (s *scheduler) died(r *record) {
	s.ended(r.queue)
	r.queue.endProbe(r)
	s.index.move(r, Dead)
}

// park parks a queue, or schedules the next probe of a parked one. It reports whether
// the queue was not parked before.
func (s *scheduler) park(r *record, f awserr.Failure, now time.Time, event *Event) bool {
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
// consecutive failures the pause doubles.
func (s *scheduler) pauseQueue(l *destQueue, f awserr.Failure, now time.Time) {
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

// takeOut takes a queued record from the scheduler. The record counts as in delivery
// until forget or putBack.
func (s *scheduler) takeOut(r *record) {
	r.dropped = true
	s.index.move(r, Delivering)
}

// putBack returns a copy of r to its queue. r itself may still be in a heap, which
// skips it.
func (s *scheduler) putBack(r *record) {
	s.index.move(r, Queued)
	again := *r
	again.dropped = false
	s.index.records[r.id] = &again
	r.queue.put(&again, time.Now())
	s.changes.notify()
}
