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
	EventQuarantined        EventKind = "quarantined" // a damaged File
	EventUnreadable         EventKind = "unreadable"  // a File that cannot be read
	EventRecovered          EventKind = "recovered"   // an unreadable object has been read
	EventReceiptLost        EventKind = "receipt-lost"
	EventFilePendingRemoval EventKind = "file_pending_removal" // a File that is no longer needed could not be removed
)

// Event describes one event. Fields that do not apply are zero.
type Event struct {
	Kind        EventKind
	ID          string
	Destination string
	UID         uint32
	Size        int64
	File        string // relative to the directory of the spool
	Reason      string // stable, from a short list: it is a label of metrics
	Err         error
	Attempts    int
	Delay       time.Duration
}

// Observer receives events. The spool calls it without holding a lock, from several
// goroutines. Event must not block.
type Observer interface{ Event(Event) }

// events passes events on to an observer; to may be nil.
type events struct{ to Observer }

func (e events) emit(list ...Event) {
	if e.to == nil {
		return
	}
	for _, one := range list {
		e.to.Event(one)
	}
}
