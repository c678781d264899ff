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
//
// It joins its parts: each has its own invariant, and the mutex of the index guards all
// but the directory, the receipts, the writer and the events.
type Spool struct {
	opts      Options
	dir       *directory
	receipts  *receiptLog
	index     *index
	changes   *changes
	scheduler *scheduler
	unusable  *unusableFiles
	claims    *claims
	writer    *writer
	events    events
	warnings  []string
	recovery  Recovery

	life    context.Context
	end     context.CancelFunc
	accepts sync.WaitGroup

	// The mutex of the index guards the rest.
	closed     bool
	ran        chan struct{} // closed when Run has returned; nil when it does not run
	rereadAt   time.Time     // when Run reads unreadable files again
	rereadWait time.Duration
}

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
	s := &Spool{opts: o, events: events{o.Observer}, rereadWait: rereadFirst}
	s.life, s.end = context.WithCancel(context.Background())
	s.dir = newDirectory(o.Dir, o.FS, s.events)
	s.receipts = &receiptLog{dir: s.dir}
	s.index = newIndex(s.dir)
	s.changes = newChanges(&s.index.mu)
	s.scheduler = &scheduler{index: s.index, changes: s.changes, workers: o.Workers, rand: o.Rand}
	s.unusable = &unusableFiles{mu: &s.index.mu, dir: s.dir, files: map[string]*unrecovered{}}
	s.claims = &claims{index: s.index, unusable: s.unusable, life: s.life, held: map[claimKey]*claim{}}
	s.writer = newWriter(s.life, s.dir, s.index)
	s.Reload(o.Destinations, o.Total, o.PerUID, o.MinFree)

	warning, err := s.dir.prepare(o.AllowVolatile)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		s.warnings = append(s.warnings, warning)
	}
	recovered := recoverer{s: s}
	if err := recovered.run(); err != nil {
		return nil, errors.Join(err, s.dir.lock.Close())
	}
	s.recovery, s.warnings = recovered.result, append(s.warnings, recovered.warnings...)
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
	s.index.mu.Lock()
	if s.closed {
		s.index.mu.Unlock()
		return nil
	}
	s.closed = true
	ran := s.ran
	s.index.mu.Unlock()
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
	s.index.mu.Lock()
	s.index.ledger.limits = limits{total, perUID, minFree}
	for name, l := range s.index.queues {
		if _, ok := destinations[name]; !ok {
			l.known = false
		}
	}
	for name, l := range destinations {
		s.index.queue(name).configure(l)
	}
	s.rereadAt, s.rereadWait = time.Now(), rereadFirst
	s.changes.notify()
	s.index.mu.Unlock()
}

// holder returns the text of the lock file for this process.
func holder(pid int, since time.Time) string {
	return fmt.Sprintf("process %d since %s", pid, since.UTC().Format(time.RFC3339))
}
