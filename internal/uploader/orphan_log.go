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

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// OrphanLog records, in a directory, the multipart uploads of streams in flight. A
// crash loses the bytes of a stream; the sweeper then aborts its upload. A nil
// OrphanLog records no upload.
type OrphanLog struct {
	dir  string
	log  *zap.Logger
	lock *os.File // the directory itself, under flock

	mu   sync.Mutex
	left map[string]bool // paths of uploads to abort; true: a failure to abort was logged
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
	l := &OrphanLog{lock: lock, dir: dir, log: log, left: make(map[string]bool)}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), orphanSuffix) && e.Type().IsRegular() {
			l.left[filepath.Join(dir, e.Name())] = false
		}
	}
	return l, nil
}

// close releases the directory.
func (l *OrphanLog) close() {
	if l != nil {
		_ = l.lock.Close() // no byte was written to it
	}
}

// Remember records an upload that another package created. Call ended when the upload
// has ended, with whether it is gone from S3.
func (l *OrphanLog) Remember(destination, bucket, key, uploadID string) (ended func(gone bool)) {
	return l.add(orphanRecord{Destination: destination, Bucket: bucket, Key: key, UploadID: uploadID}).end
}

// orphan is the record of one upload in flight.
type orphan struct {
	log  *OrphanLog
	path string
}

// add records an upload. A failure to write the record fails no delivery: after a
// crash the upload is then left to the bucket's lifecycle rule.
func (l *OrphanLog) add(r orphanRecord) *orphan {
	if l == nil {
		return &orphan{}
	}
	path := filepath.Join(l.dir, ulid.Make().String()+orphanSuffix)
	text, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		l.log.Warn("a multipart upload cannot be recorded; a crash would leave it to the bucket's lifecycle rule", zap.String("destination", r.Destination), zap.Error(err))
	}
	return &orphan{log: l, path: path}
}

// end removes the record when the upload is gone, and gives the upload to the sweeper
// otherwise.
func (o *orphan) end(gone bool) {
	l := o.log
	if l == nil {
		return
	}
	if !gone {
		l.mu.Lock()
		l.left[o.path] = false
		l.mu.Unlock()
		return
	}
	if err := os.Remove(o.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Warn("the record of an upload that has ended cannot be removed", zap.String("path", o.path), zap.Error(err))
	}
}
