package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/uploader"
	"github.com/brokerd/brokerd/internal/vend"
)

// Domain is the domain of all reasons in ErrorInfo.
const Domain = "brokerd"

// fault is a refusal by this package, or a core's error with its code.
type fault struct {
	code   codes.Code
	reason string
	msg    string
	retry  time.Duration
	meta   map[string]string
}

// Error is the text for people.
func (f *fault) Error() string { return f.msg }

func refuse(code codes.Code, reason, format string, args ...any) *fault {
	return &fault{code: code, reason: reason, msg: fmt.Sprintf(format, args...)}
}

// reasonCodes gives the gRPC code of what the cores report.
var reasonCodes = map[string]codes.Code{
	"ACCESS_DENIED":       codes.FailedPrecondition,
	"AWS_REFUSED":         codes.FailedPrecondition,
	"AWS_UNAVAILABLE":     codes.Unavailable,
	"BUCKET_NOT_FOUND":    codes.FailedPrecondition,
	"CHECKSUM_MISMATCH":   codes.DataLoss,
	"CREDENTIALS_EXPIRED": codes.Unavailable,
	"KMS_KEY_UNUSABLE":    codes.FailedPrecondition,
	"NETWORK":             codes.Unavailable,
	"RESPONSE_MISMATCH":   codes.DataLoss,
	"SESSION_DENIED":      codes.FailedPrecondition,
	"SESSION_UNAVAILABLE": codes.Unavailable,
	"THROTTLED":           codes.Unavailable,
	"WRONG_REGION":        codes.FailedPrecondition,
}

// retryAfter is said with what may pass by itself, when the core does not know better.
const retryAfter = 2 * time.Second

// faultOf gives every error of the cores its code and reason.
func faultOf(err error) *fault {
	var (
		f        *fault
		noSess   *broker.Error
		failed   *uploader.Error
		mismatch *uploader.MismatchError
		refusal  *vend.Refusal
		missing  *config.MissingValueError
		encoded  *uploader.EncodedError
	)
	if s := faultOfSpool(err); s != nil {
		return s
	}
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &missing):
		return refuse(codes.InvalidArgument, "KEY_VALUE_MISSING", "%s", err).with("placeholder", missing.Placeholder)
	case errors.As(err, &encoded):
		return refuse(codes.InvalidArgument, "INVALID_HEADER", "%s", err)
	case errors.As(err, &noSess):
		out := coded(noSess.Reason(), noSess)
		if noSess.RetryAfter > 0 {
			out.retry = noSess.RetryAfter
		}
		return out.with("destination", noSess.Destination)
	case errors.As(err, &failed):
		return coded(failed.Reason, failed).with("destination", failed.Destination).with("aws_code", failed.Info.Code).
			with("aws_request_id", failed.Info.RequestID).with("operation", failed.Op)
	case errors.As(err, &mismatch):
		return coded("RESPONSE_MISMATCH", mismatch).with("destination", mismatch.Destination).with("field", mismatch.Field)
	case errors.As(err, &refusal) && refusal.Code == "TOO_MANY_REQUESTS":
		return &fault{code: codes.ResourceExhausted, reason: refusal.Code, msg: refusal.Message, retry: refusal.RetryAfter}
	case errors.As(err, &refusal) && refusal.Err == nil:
		return refuse(codes.PermissionDenied, refusal.Code, "%s", refusal.Message)
	case errors.Is(err, broker.ErrUnknownDestination):
		return refuse(codes.NotFound, "UNKNOWN_DESTINATION", "%s", err)
	case errors.Is(err, uploader.ErrBusy):
		return &fault{code: codes.ResourceExhausted, reason: "TOO_MANY_UPLOADS", msg: err.Error(), retry: time.Second}
	case errors.Is(err, context.DeadlineExceeded):
		return refuse(codes.DeadlineExceeded, "DEADLINE", "%s", err)
	case errors.Is(err, context.Canceled):
		return refuse(codes.Canceled, "CANCELED", "%s", err)
	}
	if st, ok := status.FromError(err); ok {
		return refuse(st.Code(), "CANCELED", "%s", st.Message())
	}
	return refuse(codes.Internal, "INTERNAL", "%s", err)
}

func coded(reason string, err error) *fault {
	code, ok := reasonCodes[reason]
	if !ok {
		code = codes.Internal
	}
	f := &fault{code: code, reason: reason, msg: err.Error()}
	if code == codes.Unavailable {
		f.retry = retryAfter
	}
	return f
}

func (f *fault) with(key, value string) *fault {
	if value == "" {
		return f
	}
	if f.meta == nil {
		f.meta = make(map[string]string)
	}
	f.meta[key] = value
	return f
}

// GRPCStatus makes a fault a gRPC status with its details.
func (f *fault) GRPCStatus() *status.Status {
	st := status.New(f.code, f.msg)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: f.reason, Domain: Domain, Metadata: f.meta}}
	if f.retry > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(f.retry)})
	}
	if full, err := st.WithDetails(details...); err == nil {
		return full
	}
	return st
}
