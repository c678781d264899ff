package uploader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/oklog/ulid/v2"
	"go.uber.org/zap"
)

// Leftovers remembers, in a directory, the multipart uploads of streams that are
// under way. Their bytes cannot be had again after a crash; what is left of them
// in the bucket is aborted then.
type Leftovers struct {
	dir   string
	log   *zap.Logger
	found []string // of an earlier run
}

// leftover is one upload, as its file holds it.
type leftover struct{ Destination, Bucket, Key, UploadID string }

const leftoverSuffix = ".json"

// NewLeftovers uses dir, and makes it when it is missing. What is in it now is of
// an earlier run; see Uploader.Sweep.
func NewLeftovers(dir string, log *zap.Logger) (*Leftovers, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory for unfinished uploads: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the unfinished uploads: %w", err)
	}
	l := &Leftovers{dir: dir, log: log}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), leftoverSuffix) && e.Type().IsRegular() {
			l.found = append(l.found, filepath.Join(dir, e.Name()))
		}
	}
	return l, nil
}

// remember writes an upload down. A failure costs no delivery: it leaves the
// upload, should the daemon crash now, to the bucket's lifecycle rule.
func (l *Leftovers) remember(o leftover) (forget func()) {
	if l == nil {
		return func() {}
	}
	path := filepath.Join(l.dir, ulid.Make().String()+leftoverSuffix)
	text, err := json.Marshal(o)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		l.log.Warn("an upload in parts cannot be written down; a crash would leave it to the lifecycle rule", zap.String("destination", o.Destination), zap.Error(err))
	}
	return func() {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.log.Warn("an upload that has ended is still written down", zap.String("path", path), zap.Error(err))
		}
	}
}

// Sweep aborts what a crash left behind. It goes on after a failure; what could
// not be aborted is tried again at the next start.
func (u *Uploader) Sweep(ctx context.Context) {
	l := u.opts.Leftovers
	if l == nil {
		return
	}
	for _, path := range l.found {
		if ctx.Err() != nil {
			return
		}
		if err := u.sweep(ctx, path); err != nil {
			l.log.Warn("an unfinished upload of an earlier run could not be aborted; it is tried again at the next start", zap.String("path", path), zap.Error(err))
		}
	}
}

func (u *Uploader) sweep(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
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
	if err := u.abort(ctx, l, o.Key, o.UploadID); err != nil {
		return err
	}
	u.log.Info("an upload that a crash had cut was aborted", zap.String("destination", o.Destination), zap.String("key", o.Key))
	return os.Remove(path)
}
