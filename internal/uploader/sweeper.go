package uploader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"go.uber.org/zap"
)

// sweepEvery is how often the sweeper retries the uploads that it could not abort.
const sweepEvery = 10 * time.Minute

// RunSweeper aborts the uploads that a crash or a failed abort left in the bucket,
// until ctx ends.
func (u *Uploader) RunSweeper(ctx context.Context) {
	if u.opts.Orphans == nil {
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

// Sweep tries once to abort every orphan. It continues after a failure.
func (u *Uploader) Sweep(ctx context.Context) {
	l := u.opts.Orphans
	if l == nil {
		return
	}
	l.mu.Lock()
	left := maps.Clone(l.left)
	l.mu.Unlock()
	for path, logged := range left {
		err := u.sweep(ctx, path)
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		if l.left[path] = err != nil; err == nil {
			delete(l.left, path)
		}
		l.mu.Unlock()
		if err != nil && !logged {
			l.log.Warn("an unfinished multipart upload could not be aborted; the daemon retries", zap.Duration("every", sweepEvery), zap.String("path", path), zap.Error(err))
		}
	}
}

func (u *Uploader) sweep(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the record was never written, or an operator removed it
	}
	if err != nil {
		return err
	}
	var r orphanRecord
	if err := json.Unmarshal(text, &r); err != nil || r.UploadID == "" {
		// A crash cut the record off before the upload sent its first part.
		return os.Remove(path)
	}
	to, err := u.destination(r.Destination)
	if err != nil {
		return err
	}
	if to.cfg.Bucket != r.Bucket {
		return fmt.Errorf("destination %q has another bucket now; abort the upload %s in bucket %s by hand", r.Destination, r.UploadID, r.Bucket)
	}
	ctx, cancel := context.WithTimeout(ctx, abortTimeout)
	defer cancel()
	if err := u.abort(ctx, to, r.Key, r.UploadID); err != nil {
		return err
	}
	u.log.Info("an orphaned multipart upload was aborted", zap.String("destination", r.Destination), zap.String("key", r.Key))
	return os.Remove(path)
}
