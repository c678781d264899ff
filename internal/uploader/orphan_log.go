package uploader

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// OrphanLog records, in a directory, the multipart uploads of streams in flight. A
// crash loses the bytes of a stream; the sweeper then aborts its upload.
type OrphanLog struct {
	dir  string // empty: the records are in memory only
	log  *zap.Logger
	lock *os.File // the directory itself, under flock

	mu   sync.Mutex
	left map[string]*leftover // uploads to abort, by the path of their record
}

// leftover is an upload that the sweeper has to abort.
type leftover struct {
	record *orphanRecord // nil: read the file
	after  time.Time     // not before; zero: at once
	logged bool          // a failure to abort it was logged
}

// orphanRecord is one upload, as its file holds it.
type orphanRecord struct{ Destination, Bucket, Key, UploadID string }

const orphanSuffix = ".json"

// OpenOrphanLog locks dir for this process, and makes it if it is missing: the uploads
// of another daemon are not orphans. The records in it are from an earlier run;
// Uploader.RunSweeper aborts their uploads.
func OpenOrphanLog(dir string, log *zap.Logger) (*OrphanLog, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory for unfinished uploads: %w", err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("locking the unfinished uploads: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another daemon uses %s: %w", dir, err), lock.Close())
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the unfinished uploads: %w", err), lock.Close())
	}
	l := &OrphanLog{lock: lock, dir: dir, log: log, left: make(map[string]*leftover)}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), orphanSuffix) && e.Type().IsRegular() {
			l.left[filepath.Join(dir, e.Name())] = &leftover{}
		}
	}
	return l, nil
}

// NewVolatileOrphanLog returns a log in memory, for a host without a directory for it.
func NewVolatileOrphanLog(log *zap.Logger) *OrphanLog {
	return &OrphanLog{log: log, left: make(map[string]*leftover)}
}

// close releases the directory.
func (l *OrphanLog) close() {
	if l.lock != nil {
		_ = l.lock.Close() // no byte was written to it
	}
}

// Remember records an upload that another package created.
func (l *OrphanLog) Remember(destination, bucket, key, uploadID string) *Orphan {
	return l.add(orphanRecord{Destination: destination, Bucket: bucket, Key: key, UploadID: uploadID})
}

// Orphan is the record of one upload in flight.
type Orphan struct {
	log    *OrphanLog
	path   string // also the key of a record in memory
	record orphanRecord
}

// add records an upload. A failure to write the record fails no delivery: after a
// crash the upload is then left to the bucket's lifecycle rule.
func (l *OrphanLog) add(r orphanRecord) *Orphan {
	path := filepath.Join(l.dir, ulid.Make().String()+orphanSuffix)
	o := &Orphan{log: l, path: path, record: r}
	if l.dir == "" {
		return o
	}
	text, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		l.log.Warn(
			"a multipart upload cannot be recorded; a crash would leave it to the bucket's lifecycle rule",
			zap.String("destination", r.Destination),
			zap.Error(err),
		)
	}
	return o
}

// End removes the record when the upload is gone from S3, and gives the upload to the
// sweeper otherwise.
func (o *Orphan) End(gone bool) {
	if !gone {
		o.leave(0)
		return
	}
	o.log.remove(o.path)
}

// leave gives the upload to the sweeper, which aborts it after wait.
func (o *Orphan) leave(wait time.Duration) {
	l := o.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left[o.path] = &leftover{record: &o.record, after: time.Now().Add(wait)}
}

// remove deletes the record of an upload that has ended.
func (l *OrphanLog) remove(path string) {
	if l.dir == "" {
		return
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Warn("the record of an upload that has ended cannot be removed", zap.String("path", path), zap.Error(err))
	}
}
