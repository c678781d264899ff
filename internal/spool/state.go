package spool

import (
	"encoding/json"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/reason"
)

// State is the state of an object.
type State uint8

// The states of an object. A queued object is Parked while its destination is parked.
const (
	Queued State = iota + 1
	Delivering
	Delivered // only its receipt remains
	Parked
	Dead        // waits for an operator
	Unreadable  // the daemon cannot read the file
	Quarantined // the file is damaged, and was moved to quarantine/
)

var stateNames = [...]string{
	Queued:      "queued",
	Delivering:  "delivering",
	Delivered:   "delivered",
	Parked:      "parked",
	Dead:        "dead",
	Unreadable:  "unreadable",
	Quarantined: "quarantined",
}

func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return "unknown"
}

// Status describes one object.
type Status struct {
	ID, Destination, Name, Key string
	State                      State
	UID                        uint32
	Size                       int64
	CRC32C                     uint32
	Received                   time.Time
	Delivered                  time.Time // zero unless delivered
	Attempts                   int       // since the daemon started
	LastError                  string    // of the last failed attempt; for a dead object, why it is dead
	LastReason                 reason.Reason
	NextTry                    time.Time // not before; zero: as soon as possible
	Receipt                    json.RawMessage
	Err                        error // why the receipt of a delivered object could not be read
}

// record is the part of an object that is held in memory. Keep it small: a spool may
// hold a million.
type record struct {
	id        ulid.ULID
	queue     *destQueue
	failure   *failureState // nil until an attempt failed
	idem      idem
	size      int64
	received  int64 // Unix, nanoseconds
	uid, crc  uint32
	state     State // never Parked
	journaled bool  // a journal file exists or existed
	dropped   bool  // the record is in a heap, which skips it
}

// trouble is what an object that failed takes in addition.
type failureState struct {
	attempts int
	next     time.Time
	reason   reason.Reason
	err      string
	// S3 has the object, but its receipt could not be written: the result of Deliver.
	delivered bool
	result    json.RawMessage
}

func (r *record) attempts() int {
	if r.failure == nil {
		return 0
	}
	return r.failure.attempts
}

func (r *record) due() time.Time {
	if r.failure == nil {
		return time.Time{}
	}
	return r.failure.next
}

// failing gives the record its trouble.
func (r *record) failing() *failureState {
	if r.failure == nil {
		r.failure = &failureState{}
	}
	return r.failure
}

func older(a, b *record) bool { return a.id.Compare(b.id) < 0 }

func sooner(a, b *record) bool {
	if c := a.due().Compare(b.due()); c != 0 {
		return c < 0
	}
	return older(a, b)
}
