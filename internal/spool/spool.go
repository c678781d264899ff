package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
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

// Options are what a Spool is made of. Dir and Deliver are required. A byte limit
// of 0 is none.
type Options struct {
	Dir          string
	Total        int64 // bytes of all objects
	PerUID       int64 // bytes of one user's objects
	MinFree      int64 // bytes to be left free on the file system
	Destinations map[string]Limits

	// Deliver sends one object and returns what is kept as its receipt. An *awserr.Failure
	// in the error's chain says what the error means; any other is tried again. It
	// must be safe to call again for an object that it delivered before.
	Deliver func(ctx context.Context, e *Entry) (json.RawMessage, error)
	// Abandon aborts the multipart upload of an object that an operator drops; may be nil.
	Abandon func(ctx context.Context, e *Entry) error
	Workers int // deliveries at a time, of all destinations; 0: 64

	ReceiptAge   time.Duration // receipts are kept so long, 0: 24 h
	ReceiptCount int           // and as many, about; 0: 20,000

	AllowVolatile bool // take a file system that is refused otherwise
	Observer      Observer
	FS            FS         // nil: the operating system's
	Rand          *rand.Rand // for jitter; nil: seeded by chance
}

// Spool is an open spool. Its methods may be called from several goroutines.
type Spool struct {
	opts     Options
	fs       FS
	lock     io.Closer
	warnings []string
	recovery Recovery
	queueDir committer
	deadDir  committer
	receipts *receiptLog
	large    sync.Pool
	small    sync.Pool

	life    context.Context
	end     context.CancelFunc
	accepts sync.WaitGroup
	wake    chan struct{}

	mu              sync.Mutex
	closed          bool
	ran             chan struct{} // closed when Run has returned; nil when it does not run
	records         map[ulid.ULID]*record
	idems           map[idem]ulid.ULID
	done            map[ulid.ULID]receiptRef
	claims          map[claimKey]chan struct{}
	queues          map[string]*destQueue
	order           []*destQueue
	cursor          int
	delivering      int
	total           int64
	unwritten       int64 // announced, reserved, not yet on disk
	userBytes       map[uint32]int64
	limits          limits
	looked          time.Time // for the oldest of all
	waiters         map[ulid.ULID][]chan struct{}
	changed         chan struct{} // closed at the next change; nil when nobody waits
	pendingRemovals map[string]struct{}
	unread          []ulid.ULID // accepted, and not given by the disk at the start; Open's, then Run's
	rand            *rand.Rand
}

// limits are those that concern all destinations.
type limits struct{ total, perUID, minFree int64 }

// Open takes the directory, checks what it stands on, and recovers what is in it.
// It returns an *UnsafeError or a *LockedError, or an *IOError.
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
		opts: o, fs: o.FS, rand: o.Rand, wake: make(chan struct{}, 1),
		records: map[ulid.ULID]*record{}, idems: map[idem]ulid.ULID{}, done: map[ulid.ULID]receiptRef{},
		claims: map[claimKey]chan struct{}{}, queues: map[string]*destQueue{}, userBytes: map[uint32]int64{},
		waiters: map[ulid.ULID][]chan struct{}{}, pendingRemovals: map[string]struct{}{},
	}
	s.receipts = &receiptLog{s: s}
	s.queueDir.sync = func() error { return s.fs.SyncDir(s.path(dirQueue)) }
	s.deadDir.sync = func() error { return s.fs.SyncDir(s.path(dirDead)) }
	s.large.New = func() any { b := make([]byte, largeBuffer); return &b }
	s.small.New = func() any { b := make([]byte, smallBuffer); return &b }
	s.life, s.end = context.WithCancel(context.Background())
	s.Reload(o.Destinations, o.Total, o.PerUID, o.MinFree)

	if err := s.prepare(); err != nil {
		return nil, err
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

func (s *Spool) path(name string) string { return filepath.Join(s.opts.Dir, name) }

func nameOf(id ulid.ULID, dir, ext string) string { return dir + "/" + id.String() + ext }

// Warnings are what an operator should know of the directory, in plain words.
func (s *Spool) Warnings() []string { return s.warnings }

// Recovery says what Open found.
func (s *Spool) Recovery() Recovery { return s.recovery }

// Close ends Run, refuses new objects and waits for both; then it lets go of the
// directory. A body that is being accepted is waited for at its next read: end the
// bodies first. Everything accepted stays.
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
	if err := s.lock.Close(); err != nil {
		return ioError("close", "lock", err)
	}
	return nil
}

// Reload takes other destinations and limits. A destination that is no longer
// there keeps its objects, parked; they go on when it returns. Limits below what
// is used refuse new objects only.
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
	s.notify()
	s.mu.Unlock()
}

// lane gives the lane of a destination, new if need be; mu is held.
func (s *Spool) queue(name string) *destQueue {
	l := s.queues[name]
	if l == nil {
		l = newDestQueue(name)
		s.queues[name] = l
		s.order = append(s.order, l)
	}
	return l
}

// notify tells the scheduler and those who wait for any change; mu is held.
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

// settled tells those who wait for one object; mu is held.
func (s *Spool) settled(id ulid.ULID) {
	for _, c := range s.waiters[id] {
		close(c)
	}
	delete(s.waiters, id)
	s.notify()
}

// journaled remembers that an object has a journal.
func (s *Spool) journaled(id ulid.ULID) {
	s.mu.Lock()
	if r := s.records[id]; r != nil {
		r.journaled = true
	}
	s.mu.Unlock()
}

// count adds a record to its lane's figures, or takes it out (-1); mu is held.
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

// move changes a record's state; mu is held.
func (s *Spool) move(r *record, to State) {
	s.count(r, -1)
	if r.state == Dead {
		r.queue.noteOldest(r)
	}
	r.state = to
	s.count(r, 1)
}

// holder is what the lock file says of this process.
func holder(pid int, since time.Time) string {
	return fmt.Sprintf("process %d since %s", pid, since.UTC().Format(time.RFC3339))
}
