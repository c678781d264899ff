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

// Sweep tries once to abort every orphan that is due. It continues after a failure.
func (u *Uploader) Sweep(ctx context.Context) {
	l := u.opts.Orphans
	l.mu.Lock()
	left := maps.Clone(l.left)
	l.mu.Unlock()
	for path, o := range left {
		if time.Now().Before(o.after) {
			continue
		}
		err := u.sweep(ctx, path, o.record)
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		if err == nil {
			delete(l.left, path)
		}
		logged := o.logged
		o.logged = true
		l.mu.Unlock()
		if err != nil && !logged {
			l.log.Warn(
				"an unfinished multipart upload could not be aborted; the daemon retries",
				zap.Duration("every", sweepEvery),
				zap.String("path", path),
				zap.Error(err),
			)
		}
	}
}

func (u *Uploader) sweep(ctx context.Context, path string, r *orphanRecord) error {
	if r == nil {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the record was never written, or an operator removed it
		}
		if err != nil {
			return err
		}
		r = &orphanRecord{}
		if err := json.Unmarshal(text, r); err != nil || r.UploadID == "" {
			// A crash cut the record off before the upload sent its first part.
			return os.Remove(path)
		}
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
	u.opts.Orphans.remove(path)
	return nil
}
