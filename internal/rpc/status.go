package rpc

import (
	"context"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
	"github.com/brokerd/brokerd/internal/uploader"
	"github.com/brokerd/brokerd/internal/vend"
)

// Domain is the domain of every reason in google.rpc.ErrorInfo.
const Domain = "brokerd"

// retryAfter is the RetryInfo of retryable errors whose source names no delay.
const retryAfter = 2 * time.Second

// classify gives an error of any package its reason, and the facts for programs.
func classify(err error) *reason.Error {
	var (
		known    *reason.Error
		session  *broker.Error
		failed   *uploader.Error
		mismatch *uploader.MismatchError
		refusal  *vend.Refusal
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
		return retryable(session.Reason(), session, session.RetryAfter).With("destination", session.Destination)
	case errors.As(err, &failed):
		return retryable(failed.Reason, failed, 0).With("destination", failed.Destination).With("aws_code", failed.Info.Code).
			With("aws_request_id", failed.Info.RequestID).With("operation", failed.Op)
	case errors.As(err, &mismatch):
		return reason.Wrap(reason.ResponseMismatch, mismatch).With("destination", mismatch.Destination).With("field", mismatch.Field)
	case errors.As(err, &refusal):
		return &reason.Error{Reason: refusal.Reason, Message: refusal.Message, RetryAfter: refusal.RetryAfter, Err: refusal}
	case errors.Is(err, broker.ErrUnknownDestination):
		return reason.Wrap(reason.UnknownDestination, err)
	case errors.Is(err, uploader.ErrBusy):
		return reason.Wrap(reason.TooManyUploads, err).After(time.Second)
	case errors.Is(err, context.DeadlineExceeded):
		return reason.Wrap(reason.Deadline, err)
	case errors.Is(err, context.Canceled):
		return reason.Wrap(reason.Canceled, err)
	}
	if st, ok := status.FromError(err); ok {
		return &reason.Error{Reason: reason.Canceled, Status: st.Code(), Message: st.Message(), Err: err}
	}
	return reason.Wrap(reason.Internal, err)
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

// retryable wraps err with a reason. A retryable reason gets the delay after, or the
// default when after is 0; any other gets none unless after says so.
func retryable(r reason.Reason, err error, after time.Duration) *reason.Error {
	e := reason.Wrap(r, err).After(after)
	if after <= 0 && r.Retryable() {
		e.RetryAfter = retryAfter
	}
	return e
}

// statusOf turns an error into a gRPC status with its details.
func statusOf(e *reason.Error) *status.Status {
	st := status.New(e.Code(), e.Message)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: string(e.Reason), Domain: Domain, Metadata: e.Metadata}}
	if e.RetryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(e.RetryAfter)})
	}
	if full, err := st.WithDetails(details...); err == nil {
		return full
	}
	return st
}
