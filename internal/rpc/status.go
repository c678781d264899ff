package rpc

import (
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/vend"
)

// Domain is the domain of every reason in google.rpc.ErrorInfo.
const Domain = "brokerd"

// classify gives an error of any package its reason.
func classify(err error) *reason.Error {
	var refusal *vend.Refusal
	if errors.As(err, &refusal) {
		return &reason.Error{Reason: refusal.Reason, Message: refusal.Message, RetryAfter: refusal.RetryAfter, Err: refusal}
	}
	return intake.Classify(err)
}

// fromStatus gives an error of gRPC itself, such as a canceled stream, its reason.
func fromStatus(err error) error {
	st, ok := status.FromError(err)
	if !ok || err == nil {
		return err
	}
	switch st.Code() {
	case codes.ResourceExhausted: // the message is larger than maxMessage
		return reason.New(reason.ChunkTooLarge, "a message is too large: send the object in chunks of at most %d bytes", intake.MaxChunk)
	case codes.Internal: // the message cannot be decoded
		return reason.New(reason.ProtocolViolation, "a message cannot be decoded: %s", st.Message())
	case codes.DeadlineExceeded:
		return reason.New(reason.Deadline, "the caller's deadline passed: %s", st.Message())
	}
	return &reason.Error{Reason: reason.Canceled, Status: st.Code(), Message: st.Message(), Err: err}
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
