package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Outcome is the state of a file in the journal.
type Outcome int

// The outcomes.
const (
	Begun   Outcome = iota // its delivery has begun
	Stored                 // it was delivered
	Skipped                // a person decided that it is not delivered
	Differs                // it was delivered, and then changed without a change of its identity
)

// Entry is one file.
type Entry struct {
	Outcome Outcome
	Name    string // of the object; decided when the delivery began
}

// entry is an Entry, and when its file was seen last.
type entry struct {
	Entry
	seen time.Time
}

// memory is how long a file that is gone is remembered: it may come back, for example with
// its file system.
const memory = 48 * time.Hour

// slack is how many superseded lines a log may have before it is written again.
const slack = 1000

// Log is the log of one watch. Its methods may be called from several goroutines.
type Log struct {
	mu      sync.Mutex
	path    string // empty: in memory
	f       *os.File
	entries map[string]*entry
	first   time.Time
	lines   int
}

// NewVolatile returns a log in memory.
func NewVolatile() *Log { return &Log{entries: make(map[string]*entry)} }

func openLog(path string) (*Log, error) {
	l := &Log{path: path, entries: make(map[string]*entry)}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := l.read(f); err != nil {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), f.Close())
	}
	l.f = f
	return l, nil
}

func (l *Log) read(r io.ReadWriter) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadBytes('\n')
		if whole := bytes.TrimSuffix(line, []byte{'\n'}); len(whole) > 0 {
			l.lines++
			if rec, ok := parse(whole); ok {
				l.apply(rec)
			}
		}
		if errors.Is(err, io.EOF) {
			if len(line) > 0 { // torn: the next line begins on its own
				_, err := r.Write([]byte{'\n'})
				return err
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *Log) apply(r record) {
	switch r.op {
	case opFirst:
		l.first = r.time
	case opForget:
		delete(l.entries, r.id)
	default:
		e := &entry{Entry{Outcome: outcomes[r.op], Name: r.name}, time.Now()}
		if was := l.entries[r.id]; was != nil && e.Name == "" {
			e.Name = was.Name
		}
		l.entries[r.id] = e
	}
}

// Get returns the entry of a file.
func (l *Log) Get(id string) (Entry, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[id]
	if !ok {
		return Entry{}, false
	}
	e.seen = time.Now()
	return e.Entry, true
}

// Begin records the name of the object before its first byte is sent.
func (l *Log) Begin(id, name string) error {
	return l.write(record{op: opBegin, id: id, name: name}, false)
}

// Stored records that the object was delivered.
func (l *Log) Stored(id string) error { return l.write(record{op: opStored, id: id}, false) }

// Skip records that the file is not to be delivered.
func (l *Log) Skip(id string) error { return l.write(record{op: opSkip, id: id}, true) }

// Differ records that the file has other content than the object of the same identity.
func (l *Log) Differ(id string) error { return l.write(record{op: opDiffer, id: id}, true) }

// Forget removes a file that is gone.
func (l *Log) Forget(id string) error { return l.write(record{op: opForget, id: id}, false) }

// FirstStart returns the time at which the watch started first; now, when this is the
// first start.
func (l *Log) FirstStart(now time.Time) (time.Time, error) {
	l.mu.Lock()
	first := l.first
	l.mu.Unlock()
	if !first.IsZero() {
		return first, nil
	}
	return now, l.write(record{op: opFirst, time: now}, true)
}

// write applies a record in any case: a full disk stops no delivery.
func (l *Log) write(r record, durable bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apply(r)
	if l.f == nil {
		return nil
	}
	l.lines++
	if _, err := l.f.Write(r.line()); err != nil {
		return err
	}
	if durable {
		return l.f.Sync()
	}
	return nil
}

// Compact removes the files that live has not reported for two days, and writes the log
// again when it has many superseded lines.
func (l *Log) Compact(now time.Time, live func(id string) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.entries, func(id string, e *entry) bool {
		if live(id) {
			e.seen = now
		}
		return now.Sub(e.seen) > memory
	})
	if l.f == nil || l.lines <= 2*len(l.entries)+slack {
		return nil
	}
	next, err := l.rewrite()
	if err != nil {
		return fmt.Errorf("writing %s again: %w", l.path, err)
	}
	_ = l.f.Close() // the new file has all of it
	l.f = next
	return nil
}

func (l *Log) rewrite() (*os.File, error) {
	tmp := l.path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriter(f)
	n := 0
	put := func(r record) {
		n++
		_, _ = out.Write(r.line()) // Flush has the error
	}
	if !l.first.IsZero() {
		put(record{op: opFirst, time: l.first})
	}
	for _, id := range slices.Sorted(maps.Keys(l.entries)) {
		e := l.entries[id]
		put(record{op: operations[e.Outcome], id: id, name: e.Name})
	}
	err = out.Flush()
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(tmp, l.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(l.path))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l.lines = n
	return f, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close syncs and closes the log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := errors.Join(l.f.Sync(), l.f.Close())
	l.f = nil
	return err
}
