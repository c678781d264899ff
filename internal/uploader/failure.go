package uploader

import (
	"context"
	"errors"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/reason"
)

// FailureOf returns what happens to a kept object after a delivery failed with
// err, an error of Put or PutAtRest. It is the one table of dispositions.
//
// Retry: the cause may pass by itself. Park: the cause needs a repair, and every
// object of the destination would fail the same way. Dead: this object can never
// be delivered as it is, and others can.
func FailureOf(err error) *awserr.Failure {
	var (
		failed   *Error
		noSess   *broker.Error
		mismatch *MismatchError
		source   *sourceError
		journal  *journalError
		foreign  *foreignKeyError
	)
	f := &awserr.Failure{Err: err}
	switch {
	case errors.As(err, &failed):
		f.Disposition, f.Reason, f.After, f.Throttled = failed.Info.Disposition(), failed.Reason, failed.After,
			failed.Info.Class == awserr.Throttle
	case errors.As(err, &noSess) && noSess.Denied:
		f.Disposition, f.Reason, f.After = awserr.Park, noSess.Reason(), noSess.RetryAfter
	case errors.As(err, &noSess):
		f.Disposition, f.Reason, f.After = awserr.Retry, noSess.Reason(), noSess.RetryAfter
	case errors.As(err, &mismatch) && mismatch.Stored:
		// The object exists with other properties than configured. A retry would find
		// it and report success, so a person has to check it.
		f.Disposition, f.Reason = awserr.Dead, reason.ResponseMismatch
	case errors.As(err, &mismatch):
		f.Disposition, f.Reason = awserr.Park, reason.ResponseMismatch
	case errors.Is(err, broker.ErrUnknownDestination):
		f.Disposition, f.Reason = awserr.Park, reason.UnknownDestination
	case errors.As(err, &foreign):
		f.Disposition, f.Reason = awserr.Dead, reason.Corrupt
	case errors.As(err, &source):
		f.Disposition, f.Reason = awserr.Retry, reason.SpoolReadFailed
	case errors.As(err, &journal):
		f.Disposition, f.Reason = awserr.Retry, reason.SpoolWriteFailed
	case errors.Is(err, context.Canceled):
		f.Disposition, f.Reason = awserr.Abort, reason.Canceled
	default:
		f.Disposition, f.Reason = awserr.Retry, reason.Internal
	}
	return f
}
