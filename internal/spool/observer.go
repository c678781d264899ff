package spool

import "time"

// EventKind is the kind of an event.
type EventKind string

// The kinds of events. A log must not drop lines about Parked, Dead, Quarantined,
// Unreadable and ReceiptLost.
const (
	EventAccepted           EventKind = "accepted"
	EventDelivered          EventKind = "delivered"   // Delay: since it was received
	EventRetried            EventKind = "retried"     // Delay: until the next attempt
	EventParked             EventKind = "parked"      // a destination; Delay: until the first probe
	EventResumed            EventKind = "resumed"     // a destination
	EventDead               EventKind = "dead"        // moved to dead/
	EventDropped            EventKind = "dropped"     // by an operator
	EventQuarantined        EventKind = "quarantined" // unreadable at recovery
	EventReceiptLost        EventKind = "receipt-lost"
	EventFilePendingRemoval EventKind = "file_pending_removal" // a file that is no longer wanted could not be removed
)

// Event describes one event. Fields that do not apply are zero.
type Event struct {
	Kind        EventKind
	ID          string
	Destination string
	UID         uint32
	Size        int64
	Reason      string
	Err         error
	Attempts    int
	Delay       time.Duration
}

// Observer receives events. The spool calls it without holding a lock, from several
// goroutines. Event must not block.
type Observer interface{ Event(Event) }

func (s *Spool) emit(events ...Event) {
	if s.opts.Observer == nil {
		return
	}
	for _, e := range events {
		s.opts.Observer.Event(e)
	}
}
