package spool

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	logSize = 1 << 20   // a longer log is sealed
	logAge  = time.Hour // an older log is sealed; logs are pruned as a whole
)

// receipt is one line of a log. It remains after the object was delivered.
type receipt struct {
	ID          string          `json:"id"`
	Destination string          `json:"destination"`
	Name        string          `json:"name,omitempty"`
	Key         string          `json:"key,omitempty"`
	UID         uint32          `json:"uid"`
	Size        int64           `json:"size"`
	CRC32C      uint32          `json:"crc32c"`
	Received    time.Time       `json:"received"`
	Delivered   time.Time       `json:"delivered"`
	Attempts    int             `json:"attempts,omitempty"`
	Idem        []byte          `json:"idem,omitempty"`
	Result      json.RawMessage `json:"result,omitempty"`
}

func (r *receipt) status() Status {
	return Status{
		ID: r.ID, Destination: r.Destination, Name: r.Name, Key: r.Key, State: Delivered, UID: r.UID, Size: r.Size,
		CRC32C: r.CRC32C, Received: r.Received, Delivered: r.Delivered, Attempts: r.Attempts, Receipt: r.Result,
	}
}

func (r *receipt) idem() idem {
	var out idem
	copy(out[:], r.Idem)
	return out
}

// receiptRef is the place of a receipt on disk.
type receiptRef struct {
	log      *receiptFile
	off, len int32
	idem     idem
	lost     *receipt // the receipt itself, when it could not be written; log is nil
}

// receiptFile is one log.
type receiptFile struct {
	name   string // relative to the directory of the spool
	newest time.Time
	opened time.Time
	count  int

	syncer  groupSync
	file    File // nil when sealed and no writer is left
	size    int64
	writers int
	sealed  bool
}

// receiptLog is all log files. The active file takes new receipts.
type receiptLog struct {
	dir *directory

	mu     sync.Mutex
	number uint64
	active *receiptFile
	logs   []*receiptFile // oldest first
	count  int
}

// append makes a receipt durable. Concurrent calls share one sync.
func (l *receiptLog) append(r *receipt) (receiptRef, error) {
	text, err := line(r)
	if err != nil {
		return receiptRef{}, err
	}
	l.mu.Lock()
	f, err := l.current(time.Now())
	if err != nil {
		l.mu.Unlock()
		return receiptRef{}, err
	}
	if _, err := f.file.Write(text); err != nil {
		l.seal(f) // the position of its end is unknown now
		l.mu.Unlock()
		return receiptRef{}, ioError("write", f.name, err)
	}
	ref := receiptRef{log: f, off: int32(f.size), len: int32(len(text)), idem: r.idem()}
	f.size += int64(len(text))
	f.writers++
	l.mu.Unlock()

	err = f.syncer.commit()

	l.mu.Lock()
	defer l.mu.Unlock()
	f.writers--
	if err != nil {
		l.seal(f)
		return receiptRef{}, ioError("sync", f.name, err)
	}
	f.count++
	l.count++
	f.newest = later(f.newest, r.Delivered)
	l.release(f)
	return ref, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// current returns the log to write to; mu is held.
func (l *receiptLog) current(now time.Time) (*receiptFile, error) {
	if f := l.active; f != nil {
		if f.size < logSize && now.Sub(f.opened) < logAge {
			return f, nil
		}
		l.seal(f)
	}
	l.number++
	name := fmt.Sprintf("%s/%020d%s", dirReceipts, l.number, extLog)
	file, err := l.dir.fs.OpenFile(l.dir.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, ioError("create", name, err)
	}
	if err := l.dir.fs.SyncDir(l.dir.path(dirReceipts)); err != nil {
		_ = file.Close()
		l.dir.removeQuietly(name)
		return nil, ioError("sync directory", dirReceipts, err)
	}
	l.active = &receiptFile{name: name, file: file, opened: now, newest: now}
	l.active.syncer.sync, l.active.syncer.final = file.Sync, true
	l.logs = append(l.logs, l.active)
	return l.active, nil
}

func (l *receiptLog) seal(f *receiptFile) {
	f.sealed = true
	if l.active == f {
		l.active = nil
	}
	l.release(f)
}

func (l *receiptLog) release(f *receiptFile) {
	if f.sealed && f.writers == 0 && f.file != nil {
		_ = f.file.Close()
		f.file = nil
	}
}

func (l *receiptLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active != nil {
		l.seal(l.active)
	}
}

// read returns a receipt.
func (l *receiptLog) read(ref receiptRef) (*receipt, error) {
	if ref.lost != nil {
		return ref.lost, nil
	}
	f, err := l.dir.fs.OpenFile(l.dir.path(ref.log.name), os.O_RDONLY, 0)
	if err != nil {
		return nil, ioError("open", ref.log.name, err)
	}
	defer func() { _ = f.Close() }()
	text := make([]byte, ref.len)
	if err := readAt(f, text, int64(ref.off)); err != nil {
		return nil, ioError("read", ref.log.name, err)
	}
	var r receipt
	if !parseLine(text, &r) {
		return nil, ioError("read", ref.log.name, errors.New("the line is damaged"))
	}
	return &r, nil
}

// recover reads all logs, oldest first, and calls found with each receipt, and damaged
// with each log that cannot be read.
func (l *receiptLog) recover(found func(id ulid.ULID, r *receipt, ref receiptRef), damaged func(name string, why error)) error {
	var numbers []uint64
	err := l.dir.fs.ReadDir(l.dir.path(dirReceipts), func(name string) error {
		digits, ok := strings.CutSuffix(name, extLog)
		if n, err := strconv.ParseUint(digits, 10, 64); ok && err == nil {
			numbers = append(numbers, n)
		}
		return nil
	})
	if err != nil {
		return ioError("read directory", dirReceipts, err)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		l.number = n
		f := &receiptFile{name: fmt.Sprintf("%s/%020d%s", dirReceipts, n, extLog), sealed: true}
		if err := l.replay(f, found); err != nil {
			// A lost receipt causes one more delivery at most. Keep the log as long as a
			// new one.
			f.newest = time.Now()
			damaged(f.name, err)
		}
		l.logs = append(l.logs, f)
		l.count += f.count
	}
	return nil
}

func (l *receiptLog) replay(f *receiptFile, found func(id ulid.ULID, r *receipt, ref receiptRef)) error {
	file, err := l.dir.fs.OpenFile(l.dir.path(f.name), os.O_RDONLY, 0)
	if err != nil {
		return ioError("open", f.name, err)
	}
	defer func() { _ = file.Close() }()
	size, err := file.Size()
	if err != nil {
		return ioError("stat", f.name, err)
	}
	in := bufio.NewReader(io.NewSectionReader(file, 0, size))
	for off := int64(0); ; {
		text, err := in.ReadBytes('\n')
		var r receipt
		if parseLine(text, &r) {
			if id, bad := ulid.ParseStrict(r.ID); bad == nil {
				f.count++
				f.newest = later(f.newest, r.Delivered)
				found(id, &r, receiptRef{log: f, off: int32(off), len: int32(len(text)), idem: r.idem()})
			}
		}
		off += int64(len(text))
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return ioError("read", f.name, err)
		}
	}
}

// expired returns the sealed logs that are older than age or above the count, and
// forgets them if may returns true. It does not remove their files.
func (l *receiptLog) expired(now time.Time, age time.Duration, most int, may func() bool) map[*receiptFile]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.active; f != nil && now.Sub(f.opened) >= logAge {
		l.seal(f)
	}
	out := map[*receiptFile]bool{}
	left := l.count
	for _, f := range l.logs {
		if !f.sealed || f.writers > 0 || (now.Sub(f.newest) < age && left <= most) {
			break
		}
		out[f] = true
		left -= f.count
	}
	if len(out) == 0 || !may() {
		return nil
	}
	l.logs, l.count = l.logs[len(out):], left
	return out
}
