package rpc

import (
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
)

// remembered is how many uploads GetUpload knows of.
const remembered = 10_000

// record is what is remembered of one upload.
type record struct {
	id, destination, name string
	uid                   uint32
	started               time.Time
	ended                 bool
	stored                uploader.Stored
	failure               *reason.Error
}

// Tally is what a destination has done since the daemon started.
type Tally struct {
	Objects, Bytes, Failed uint64
	LastStored             time.Time
	// Broken says why the last delivery or verification was refused by AWS;
	// empty when it was not.
	Broken string
}

// Ledger remembers uploads and counts them. Its methods may be called from
// several goroutines.
type Ledger struct {
	mu      sync.Mutex
	uploads *lru.Cache[string, record]
	keys    *lru.Cache[string, string] // ids by what an idempotency key names
	running map[string]chan struct{}   // by id; closed at the end
	tallies map[string]*Tally
}

// NewLedger makes a ledger for these destinations.
func NewLedger(destinations []string) (*Ledger, error) {
	uploads, err := lru.New[string, record](remembered)
	if err != nil {
		return nil, fmt.Errorf("making the memory of uploads: %w", err)
	}
	keys, err := lru.New[string, string](remembered)
	if err != nil {
		return nil, fmt.Errorf("making the memory of idempotency keys: %w", err)
	}
	l := &Ledger{uploads: uploads, keys: keys, running: make(map[string]chan struct{}), tallies: make(map[string]*Tally, len(destinations))}
	for _, d := range destinations {
		l.tallies[d] = &Tally{}
	}
	return l, nil
}

// open starts to count for a destination, unless it does already.
func (l *Ledger) open(destination string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tallies[destination] == nil {
		l.tallies[destination] = &Tally{}
	}
}

// close forgets a destination's counts.
func (l *Ledger) close(destination string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tallies, destination)
}

// end records the outcome: stored when failure is nil.
func (l *Ledger) end(r record, stored uploader.Stored, failure *reason.Error) {
	r.ended, r.stored, r.failure = true, stored, failure
	l.uploads.Add(r.id, r)
	if failure == nil {
		l.Stored(r.destination, stored)
		return
	}
	l.Failed(r.destination, failure.Reason, failure.Message)
}

// Stored counts an object that S3 has confirmed.
func (l *Ledger) Stored(destination string, stored uploader.Stored) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tallies[destination]; t != nil {
		t.Objects++
		t.Bytes += uint64(stored.Size)
		t.LastStored, t.Broken = stored.Time, ""
	}
}

// Failed counts a delivery that failed. What AWS refused makes the destination
// unready until the next one that succeeds.
func (l *Ledger) Failed(destination string, why reason.Reason, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tallies[destination]
	if t == nil {
		return
	}
	t.Failed++
	if why.RefusedByAWS() {
		t.Broken = message
	}
}

// Verified records that the whole path was proven, or why it was not. What is
// undecided changes nothing.
func (l *Ledger) Verified(destination string, p Proof) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tallies[destination]; t != nil && (p.broken != "" || !p.undecided) {
		t.Broken = p.broken
	}
}

// Tally is a copy of a destination's counts.
func (l *Ledger) Tally(destination string) Tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t := l.tallies[destination]; t != nil {
		return *t
	}
	return Tally{}
}
