package uploader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// Leftovers remembers, in a directory, the multipart uploads of streams that are
// under way. Their bytes cannot be had again after a crash; what is left of them
// in the bucket is aborted then.
type Leftovers struct {
	dir  string
	log  *zap.Logger
	lock *os.File // the directory itself, flock'ed

	mu   sync.Mutex
	left map[string]bool // paths of what is to be aborted; true: that this failed was said
}

// leftover is one upload, as its file holds it.
type leftover struct{ Destination, Bucket, Key, UploadID string }

const leftoverSuffix = ".json"

// NewLeftovers takes dir for this process, and makes it when it is missing: what
// another daemon has under way is not left over. What is in it now is of
// an earlier run; see Uploader.KeepTidy.
func NewLeftovers(dir string, log *zap.Logger) (*Leftovers, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory for unfinished uploads: %w", err)
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("locking the unfinished uploads: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is used by another daemon: %w", dir, err), lock.Close())
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the unfinished uploads: %w", err), lock.Close())
	}
	l := &Leftovers{lock: lock, dir: dir, log: log, left: make(map[string]bool)}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), leftoverSuffix) && e.Type().IsRegular() {
			l.left[filepath.Join(dir, e.Name())] = false
		}
	}
	return l, nil
}

// close lets go of the directory.
func (l *Leftovers) close() {
	if l != nil {
		_ = l.lock.Close() // nothing was written to it
	}
}

// Remember is for uploads that others begin: those of a verification.
func (l *Leftovers) Remember(destination, bucket, key, uploadID string) (ended func(gone bool)) {
	return l.remember(leftover{Destination: destination, Bucket: bucket, Key: key, UploadID: uploadID})
}

// remember writes an upload down, until ended is called with whether it is gone.
// One that is not is aborted by the next sweep. A failure to write costs no
// delivery: it leaves the upload, should the daemon crash now, to the bucket's
// lifecycle rule.
func (l *Leftovers) remember(o leftover) (ended func(gone bool)) {
	if l == nil {
		return func(bool) {}
	}
	path := filepath.Join(l.dir, ulid.Make().String()+leftoverSuffix)
	text, err := json.Marshal(o)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		l.log.Warn("an upload in parts cannot be written down; a crash would leave it to the lifecycle rule", zap.String("destination", o.Destination), zap.Error(err))
	}
	return func(gone bool) {
		if !gone {
			l.mu.Lock()
			l.left[path] = false
			l.mu.Unlock()
			return
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.log.Warn("an upload that has ended is still written down", zap.String("path", path), zap.Error(err))
		}
	}
}

// sweepEvery is how often what could not be aborted is tried again.
const sweepEvery = 10 * time.Minute

// KeepTidy aborts what a crash, or an abort that failed, left in the bucket, until
// ctx ends.
func (u *Uploader) KeepTidy(ctx context.Context) {
	if u.opts.Leftovers == nil {
		return
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		u.Sweep(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep tries once to abort what is left. It goes on after a failure.
func (u *Uploader) Sweep(ctx context.Context) {
	l := u.opts.Leftovers
	if l == nil {
		return
	}
	l.mu.Lock()
	left := maps.Clone(l.left)
	l.mu.Unlock()
	for path, said := range left {
		err := u.sweep(ctx, path)
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		if l.left[path] = err != nil; err == nil {
			delete(l.left, path)
		}
		l.mu.Unlock()
		if err != nil && !said {
			l.log.Warn("an unfinished multipart upload could not be aborted; it is tried again", zap.Duration("every", sweepEvery), zap.String("path", path), zap.Error(err))
		}
	}
}

func (u *Uploader) sweep(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was never written, or somebody has dealt with it
	}
	if err != nil {
		return err
	}
	var o leftover
	if err := json.Unmarshal(text, &o); err != nil || o.UploadID == "" {
		// Torn by the crash: no id was acknowledged to be in it.
		return os.Remove(path)
	}
	l, err := u.lane(o.Destination)
	if err != nil {
		return err
	}
	if l.dest.Bucket != o.Bucket {
		return fmt.Errorf("destination %q has another bucket now than %s", o.Destination, o.Bucket)
	}
	ctx, cancel := context.WithTimeout(ctx, abortTimeout)
	defer cancel()
	if err := u.abort(ctx, l, o.Key, o.UploadID); err != nil {
		return err
	}
	u.log.Info("a multipart upload that was left behind was aborted", zap.String("destination", o.Destination), zap.String("key", o.Key))
	return os.Remove(path)
}
