package intake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
	"github.com/brokerd/brokerd/internal/uploader"
)

// Classify gives an error of an upload its reason, and the facts for programs. The facts
// and the text name a multipart upload that was left in the bucket.
func Classify(err error) *reason.Error {
	e := classify(err)
	var left *uploader.UnfinishedError
	if !errors.As(err, &left) {
		return e
	}
	out := *e // e may be shared
	out.Metadata = maps.Clone(e.Metadata)
	if note := left.Note(); !strings.Contains(out.Message, note) {
		out.Message += "; " + note
	}
	return out.With(reason.UnfinishedBucket, left.Bucket).With(reason.UnfinishedKey, left.Key).With(reason.UnfinishedUploadID, left.UploadID)
}

func classify(err error) *reason.Error {
	var (
		known    *reason.Error
		session  *broker.Error
		failed   *uploader.Error
		mismatch *uploader.MismatchError
		missing  *config.MissingValueError
		encoded  *uploader.EncodedError
	)
	if e := classifySpool(err); e != nil {
		return e
	}
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &missing):
		return reason.Wrap(reason.KeyValueMissing, err).With("placeholder", missing.Placeholder)
	case errors.As(err, &encoded):
		return reason.Wrap(reason.InvalidHeader, err)
	case errors.As(err, &session):
		return Retryable(session.Reason(), session, session.RetryAfter).With("destination", session.Destination)
	case errors.As(err, &failed):
		return Retryable(failed.Reason, failed, 0).With("destination", failed.Destination).With("aws_code", failed.Info.Code).
			With("aws_request_id", failed.Info.RequestID).With("operation", failed.Op)
	case errors.As(err, &mismatch):
		return reason.Wrap(reason.ResponseMismatch, mismatch).With("destination", mismatch.Destination).With("field", mismatch.Field)
	case errors.Is(err, broker.ErrUnknownDestination):
		return reason.Wrap(reason.UnknownDestination, err)
	case errors.Is(err, uploader.ErrBusy):
		return reason.Wrap(reason.TooManyUploads, err).After(time.Second)
	case errors.Is(err, context.DeadlineExceeded):
		return reason.Wrap(reason.Deadline, err)
	case errors.Is(err, context.Canceled):
		return reason.Wrap(reason.Canceled, err)
	}
	return reason.Wrap(reason.Internal, err)
}

// attribute tells a deadline of the caller from one of the daemon's own. Only the
// caller's is final: after the daemon's own the same upload may succeed later.
func attribute(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if e := Classify(err); e.Reason != reason.Deadline {
		return err
	}
	return Retryable(reason.AWSUnavailable, fmt.Errorf("AWS made no progress within the daemon's time limit: %w", err), 0)
}

// classifySpool gives an error of the spool its reason; nil for other errors.
func classifySpool(err error) *reason.Error {
	var (
		full   *spool.FullError
		broken *spool.IOError
	)
	switch {
	case errors.As(err, &full):
		return reason.Wrap(reason.SpoolFull, err).After(full.RetryAfter)
	case errors.As(err, &broken):
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			return reason.New(reason.TooManyFiles, "%s; nothing was accepted; raise the daemon's limit of open files (LimitNOFILE, ulimit -n)", err).
				After(retryAfter)
		}
		return reason.New(reason.SpoolFailed, "%s; nothing was accepted", err).After(retryAfter)
	case errors.Is(err, spool.ErrClosed):
		return reason.New(reason.ShuttingDown, "the daemon is stopping").After(retryAfter)
	case errors.Is(err, spool.ErrUnknown):
		return reason.Wrap(reason.UploadNotFound, err)
	case errors.Is(err, spool.ErrConflict):
		return reason.Wrap(reason.IdempotencyConflict, err)
	case errors.Is(err, spool.ErrState):
		return reason.Wrap(reason.SpoolState, err)
	case errors.Is(err, spool.ErrUnknownDestination):
		return reason.Wrap(reason.UnknownDestination, err)
	case errors.Is(err, spool.ErrSize):
		return reason.Wrap(reason.SizeMismatch, err)
	default:
		return nil
	}
}

// Retryable wraps err with a reason. A retryable reason gets the delay after, or the
// default when after is 0. Any other reason gets after.
func Retryable(r reason.Reason, err error, after time.Duration) *reason.Error {
	if after <= 0 && r.Retryable() {
		after = retryAfter
	}
	return reason.Wrap(r, err).After(after)
}
