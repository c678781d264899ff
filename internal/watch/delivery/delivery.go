// Package delivery sends watched files through the intake, as if their owners had uploaded
// them, and says what a failure means for the file.
//
// A file that changes while it is read becomes no object. No access rule is asked: the
// configuration of the watch is the permission.
package delivery

import (
	"context"
	"os"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
	"github.com/brokerd/brokerd/internal/watch"
)

// Sender implements watch.Sender.
type Sender struct {
	Intake *intake.Intake // set before the first file is sent
	Upload *uploader.Uploader
}

// Key implements watch.Sender.
func (s *Sender) Key(u watch.Upload) (string, error) {
	return s.Upload.Key(u.Destination, uploader.Object{ID: u.ID, Name: u.Name, UID: u.UID, GID: u.GID, Received: u.Time})
}

// Send implements watch.Sender.
func (s *Sender) Send(ctx context.Context, u watch.Upload) (watch.Sent, error) {
	size := uint64(u.Size)
	file, err := intake.NewOwnFile(ctx, u.File, size)
	if err != nil {
		return watch.Sent{}, failureOf(ctx, err)
	}
	body := &watchedFile{File: file, unchanged: u.Unchanged}
	h := &intake.Header{Destination: u.Destination, Name: u.Name, Size: &size}
	out, err := s.Intake.ReceiveOwn(ctx, access.Peer{UID: u.UID, GID: u.GID}, h, intake.Own{ID: u.ID, Received: u.Time, Spool: u.Spool}, body)
	if err != nil {
		return watch.Sent{}, failureOf(ctx, err)
	}
	sent := watch.Sent{CRC32C: body.sum.Load(), Existed: !body.read.Load()}
	if out.Stored == nil {
		sent.Spooled = true
		return sent, nil
	}
	sent.Key, sent.Existed = out.Stored.Key, sent.Existed || out.Stored.Existed
	return sent, nil
}

// watchedFile is the body of a watched file: it must not change at all while it is sent.
type watchedFile struct {
	*intake.File
	unchanged func() error
	sum       atomic.Uint32
	read      atomic.Bool
}

// Verify implements intake.Incoming.
func (f *watchedFile) Verify(length int64, crc32c uint32) error {
	if err := f.File.Verify(length, crc32c); err != nil {
		return err
	}
	f.sum.Store(crc32c)
	f.read.Store(true)
	return f.unchanged()
}

// failureOf says what happens to a watched file after its delivery failed.
func failureOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := intake.Classify(err)
	f := &watch.Failure{Reason: e.Reason, Message: e.Message, After: e.RetryAfter}
	switch e.Reason {
	case reason.TooManyUploads, reason.TooManyFiles, reason.Draining, reason.ShuttingDown, reason.SpoolFailed:
		f.Kind = watch.Busy
	case reason.SpoolFull:
		if f.Kind = watch.Busy; e.RetryAfter == 0 { // it is larger than the spool may be
			f.Kind = watch.RetryFile
		}
	case reason.FileChanged, reason.SizeMismatch:
		f.Kind = watch.Changed
	case reason.FileUnreadable, reason.Internal, reason.Canceled:
		f.Kind = watch.RetryFile
	case reason.InvalidName, reason.InvalidHeader, reason.ObjectTooLarge, reason.KeyValueMissing, reason.IdempotencyConflict:
		f.Kind = watch.Dead
	default:
		if f.Kind = watch.Pause; uploader.FailureOf(err).Disposition == awserr.Dead {
			f.Kind = watch.Dead
		}
	}
	return f
}

// Owner resolves the owner of a watch; that of an empty peer is this process's user.
func Owner(p config.Peer) (watch.Owner, error) {
	if p == (config.Peer{}) {
		return watch.Owner{UID: uint32(os.Geteuid())}, nil
	}
	peer, err := access.PeerOf(p, access.SystemResolver())
	if err != nil {
		return watch.Owner{}, err
	}
	out := watch.Owner{UID: peer.UID}
	if peer.Grouped() {
		out.GID = &peer.GID
	}
	return out, nil
}

// Journal returns the directory of the journal: next to that of the spool.
func Journal(c *config.Config) string { return c.Spool.Dir + ".watch" }

// Problems tests, with the rights of this process, whether the watched files of a
// destination can be read, removed and moved.
func Problems(ctx context.Context, c *config.Config, destination string) ([]string, error) {
	return watch.Problems(ctx, c, destination, Owner)
}
