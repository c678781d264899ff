package spool

import (
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
)

const defaultInFlight = 16

// Limits bound the objects of one destination. 0 bytes or files means no limit.
type Limits struct {
	Bytes       int64
	Files       int
	MaxInFlight int // deliveries at a time; 0: 16
}

// destQueue is the queue of one destination.
//
// A ready object waits in the heap of its user, oldest first. A failed object waits
// in delayed until it is due. Users take turns (round robin), so that a user with a
// million objects does not block a user with a single object.
type destQueue struct {
	name   string
	limits Limits
	known  bool // configured; the objects of a removed destination wait until it returns

	users   map[uint32]*heap
	turns   []uint32 // the users with ready objects, the next user first
	delayed heap

	inFlight int
	window   window
	streak   int       // failures since the last success
	pause    time.Time // no delivery starts before
	parked   *parking
	oldest   *record // the oldest waiting record; may be outdated, see findOldest

	bytes                                 int64 // reserved, waiting and dead
	files                                 int
	queued, dead, delivering              int
	queuedBytes, deadBytes, deliveryBytes int64
}

// parking describes a parked destination.
type parking struct {
	reason       reason.Reason
	err          string
	since        time.Time
	nextProbe    time.Time // no probe starts before
	failedProbes int       // that failed
	probing      *record   // under way
}

func newDestQueue(name string) *destQueue {
	return &destQueue{name: name, users: map[uint32]*heap{}, delayed: heap{less: sooner}}
}

func (l *destQueue) configure(limits Limits) {
	if limits.MaxInFlight <= 0 {
		limits.MaxInFlight = defaultInFlight
	}
	l.known = true
	l.limits = limits
	l.window.resize(limits.MaxInFlight)
}

// put queues a record, now or when it is due.
func (l *destQueue) put(r *record, now time.Time) {
	if r.due().After(now) {
		l.delayed.push(r)
		return
	}
	h := l.users[r.uid]
	if h == nil {
		h = &heap{less: older}
		l.users[r.uid] = h
		l.turns = append(l.turns, r.uid)
	}
	h.push(r)
}

// promoteDue moves due records from delayed to the heaps of their users.
func (l *destQueue) promoteDue(now time.Time) {
	for r := l.delayed.peek(); r != nil && !r.due().After(now); r = l.delayed.peek() {
		l.delayed.pop()
		l.put(r, now)
	}
}

// next removes and returns the oldest record of the user whose turn it is.
func (l *destQueue) next() *record {
	for len(l.turns) > 0 {
		uid := l.turns[0]
		h := l.users[uid]
		r := h.pop()
		l.turns = slices.Delete(l.turns, 0, 1)
		if h.peek() == nil {
			delete(l.users, uid)
		} else {
			l.turns = append(l.turns, uid)
		}
		if r != nil {
			return r
		}
	}
	return nil
}

// take returns a record to deliver now, or the time at which to ask again. A zero
// time means that only an event can make a record ready.
func (l *destQueue) take(now time.Time) (r *record, again time.Time) {
	if !l.known || l.queued == 0 {
		return nil, time.Time{}
	}
	if l.parked != nil {
		return l.takeProbe(now)
	}
	if l.pause.After(now) {
		return nil, l.pause
	}
	if l.inFlight >= l.window.size() {
		return nil, time.Time{}
	}
	l.promoteDue(now)
	if r := l.next(); r != nil {
		return r, time.Time{}
	}
	if r := l.delayed.peek(); r != nil {
		return nil, r.due()
	}
	return nil, time.Time{}
}

// takeProbe returns the object that probes a parked destination. An object whose
// probe failed goes behind the others, so that a single refused object does not keep
// its destination parked.
func (l *destQueue) takeProbe(now time.Time) (*record, time.Time) {
	p := l.parked
	if p.probing != nil {
		return nil, time.Time{}
	}
	if p.nextProbe.After(now) {
		return nil, p.nextProbe
	}
	r := l.next()
	if r == nil {
		r = l.delayed.pop()
	}
	p.probing = r
	return r, time.Time{}
}

// endProbe ends the probe if r was the probing record.
func (l *destQueue) endProbe(r *record) {
	if l.parked != nil && l.parked.probing == r {
		l.parked.probing = nil
	}
}

// promoteAll sorts all delayed records again, after their due times were changed.
func (l *destQueue) promoteAll(now time.Time) {
	for _, r := range l.delayed.drain() {
		if !r.dropped {
			l.put(r, now)
		}
	}
}
