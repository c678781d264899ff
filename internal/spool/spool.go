package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	dirQueue      = "queue"
	dirReceipts   = "receipts"
	dirDead       = "dead"
	dirQuarantine = "quarantine"

	extTemporary = ".tmp"
	extObject    = ".obj"
	extJournal   = ".mpu"
	extReason    = ".why"
	extLog       = ".log"

	defaultWorkers      = 64
	defaultReceiptAge   = 24 * time.Hour
	defaultReceiptCount = 20_000
)

// Options configure a Spool. Dir and Deliver are required. A byte limit of 0 means
// no limit.
type Options struct {
	Dir          string
	Total        int64 // bytes of all objects
	PerUID       int64 // bytes of one user's objects
	MinFree      int64 // free bytes to keep on the file system
	Destinations map[string]Limits

	// Deliver sends one object and returns its receipt. An *awserr.Failure in the
	// error's chain says how to go on; the spool retries after any other error. The
	// spool may call Deliver again for an object that was delivered before.
	Deliver func(ctx context.Context, e *Entry) (json.RawMessage, error)
	// Abandon aborts the multipart upload of an object that an operator drops; may be nil.
	Abandon func(ctx context.Context, e *Entry) error
	Workers int // concurrent deliveries of all destinations; 0: 64

	ReceiptAge   time.Duration // how long receipts are kept; 0: 24 h
	ReceiptCount int           // about how many receipts are kept; 0: 20,000

	AllowVolatile bool // accept a file system that may lose objects
	Observer      Observer
	FS            FS         // nil: that of the operating system
	Rand          *rand.Rand // for jitter; nil: seeded at random
}

// Spool is an open spool. Its methods may be called from several goroutines.
type Spool struct {
	opts     Options
	dir      *directory
	events   events
	warnings []string
	recovery Recovery
	receipts *receiptLog
	large    sync.Pool
	small    sync.Pool

	life    context.Context
	end     context.CancelFunc
	accepts sync.WaitGroup
	wake    chan struct{}

	mu           sync.Mutex
	closed       bool
	ran          chan struct{} // closed when Run has returned; nil when it does not run
	records      map[ulid.ULID]*record
	idems        map[idem]ulid.ULID
	done         map[ulid.ULID]receiptRef
	claims       map[claimKey]*claim
	queues       map[string]*destQueue
	order        []*destQueue
	cursor       int
	delivering   int
	total        int64
	unwritten    int64 // bytes that are reserved and not on disk yet
	userBytes    map[uint32]int64
	reservations map[*reservation]struct{} // of objects that are received
	limits       limits
	scanned      time.Time // when findOldest last scanned all records
	waiters      map[ulid.ULID][]chan struct{}
	changed      chan struct{}           // closed at the next change; nil when no call waits
	unrecovered  map[string]*unrecovered // by name: files of accepted objects that cannot be used
	rereadAt     time.Time               // when Run reads unreadable files again
	rereadWait   time.Duration
	rand         *rand.Rand
}

// limits bound all destinations together.
type limits struct{ total, perUID, minFree int64 }

// Open locks the directory, checks its file system, and recovers its objects. Its
// error is an *UnsafeError, a *LockedError or an *IOError.
func Open(o Options) (*Spool, error) {
	if o.Dir == "" || o.Deliver == nil {
		return nil, errors.New("spool: Dir and Deliver are required")
	}
	if o.FS == nil {
		o.FS = osFS{}
	}
	if o.Workers <= 0 {
		o.Workers = defaultWorkers
	}
	if o.ReceiptAge <= 0 {
		o.ReceiptAge = defaultReceiptAge
	}
	if o.ReceiptCount <= 0 {
		o.ReceiptCount = defaultReceiptCount
	}
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	s := &Spool{
		opts: o, dir: newDirectory(o.Dir, o.FS, events{o.Observer}), events: events{o.Observer}, rand: o.Rand, wake: make(chan struct{}, 1),
		records: map[ulid.ULID]*record{}, idems: map[idem]ulid.ULID{}, done: map[ulid.ULID]receiptRef{},
		claims: map[claimKey]*claim{}, queues: map[string]*destQueue{}, userBytes: map[uint32]int64{}, reservations: map[*reservation]struct{}{},
		waiters:     map[ulid.ULID][]chan struct{}{},
		unrecovered: map[string]*unrecovered{}, rereadWait: rereadFirst,
	}
	s.receipts = &receiptLog{dir: s.dir}
	s.large.New = func() any { b := make([]byte, largeBuffer); return &b }
	s.small.New = func() any { b := make([]byte, smallBuffer); return &b }
	s.life, s.end = context.WithCancel(context.Background())
	s.Reload(o.Destinations, o.Total, o.PerUID, o.MinFree)

	warning, err := s.dir.prepare(o.AllowVolatile)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		s.warnings = append(s.warnings, warning)
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(err, s.dir.lock.Close())
	}
	return s, nil
}

func nameOf(id ulid.ULID, dir, ext string) string { return dir + "/" + id.String() + ext }

// Warnings returns the messages about the directory that an operator should read.
func (s *Spool) Warnings() []string { return s.warnings }

// Recovery returns the result of Open.
func (s *Spool) Recovery() Recovery { return s.recovery }

// Close ends Run, refuses new objects, waits for both, and unlocks the directory.
// It waits for a body that is being read until its next Read returns: end the bodies
// first. Accepted objects stay on disk.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	ran := s.ran
	s.mu.Unlock()
	s.end()
	if ran != nil {
		<-ran
	}
	s.accepts.Wait()
	s.receipts.close()
	if err := s.dir.lock.Close(); err != nil {
		return ioError("close", "lock", err)
	}
	return nil
}

// Reload changes destinations and limits. The objects of a removed destination stay,
// parked, until the destination returns. A limit below the present use refuses new
// objects only. Run reads unreadable files again at once.
func (s *Spool) Reload(destinations map[string]Limits, total, perUID, minFree int64) {
	s.mu.Lock()
	s.limits = limits{total, perUID, minFree}
	for name, l := range s.queues {
		if _, ok := destinations[name]; !ok {
			l.known = false
		}
	}
	for name, l := range destinations {
		s.queue(name).configure(l)
	}
	s.rereadAt, s.rereadWait = time.Now(), rereadFirst
	s.notify()
	s.mu.Unlock()
}

// queue returns the queue of a destination, a new one if there is none; mu is held.
func (s *Spool) queue(name string) *destQueue {
	l := s.queues[name]
	if l == nil {
		l = newDestQueue(name)
		s.queues[name] = l
		s.order = append(s.order, l)
	}
	return l
}

// notify wakes the scheduler and the calls that wait for a change; mu is held.
func (s *Spool) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// settled wakes the calls that wait for one object; mu is held.
func (s *Spool) settled(id ulid.ULID) {
	for _, c := range s.waiters[id] {
		close(c)
	}
	delete(s.waiters, id)
	s.notify()
}

// journaled records that an object has a journal.
func (s *Spool) journaled(id ulid.ULID) {
	s.mu.Lock()
	if r := s.records[id]; r != nil {
		r.journaled = true
	}
	s.mu.Unlock()
}

// count adds a record to the figures of its queue (sign 1), or subtracts it (-1); mu
// is held.
func (s *Spool) count(r *record, sign int64) {
	l := r.queue
	switch r.state {
	case Queued:
		l.queued += int(sign)
		l.queuedBytes += sign * r.size
	case Delivering:
		l.delivering += int(sign)
		l.deliveryBytes += sign * r.size
	case Dead:
		l.dead += int(sign)
		l.deadBytes += sign * r.size
	}
}

// move changes the state of a record; mu is held.
func (s *Spool) move(r *record, to State) {
	s.count(r, -1)
	if r.state == Dead {
		r.queue.noteOldest(r)
	}
	r.state = to
	s.count(r, 1)
}

// holder returns the text of the lock file for this process.
func holder(pid int, since time.Time) string {
	return fmt.Sprintf("process %d since %s", pid, since.UTC().Format(time.RFC3339))
}
