package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is what the daemon answered instead of a result.
type Error struct {
	Code       codes.Code
	Reason     string            // stable, such as "PEER_NOT_ALLOWED"; empty when the daemon did not answer
	Message    string            // for people
	Metadata   map[string]string // facts about the reason; never a secret
	RetryAfter time.Duration     // how long to wait before the next try; 0: the daemon did not say
	// MayBeStored is true when an upload was sent whole and nobody knows what
	// became of it. False: there is no object. See the function of that name.
	MayBeStored bool
}

// Error is the message with its reason.
func (e *Error) Error() string {
	if e.Reason == "" {
		return e.Message
	}
	return fmt.Sprintf("%s [%s]", e.Message, e.Reason)
}

// Temporary says whether the same call may succeed later with nothing changed.
func (e *Error) Temporary() bool {
	return e.Code == codes.Unavailable || e.Code == codes.ResourceExhausted || e.Code == codes.Aborted || e.RetryAfter > 0
}

// MayBeStored says whether the object may exist although err says that the upload
// failed. False: there is none, and sending it again stores it once. True: nobody
// answered after all was sent, or the daemon itself lost the answer of S3; send it
// again with the same idempotency key, or look.
func MayBeStored(err error) bool {
	var e *Error
	var g *givenUp
	switch {
	case errors.As(err, &e):
		return e.MayBeStored
	case errors.As(err, &g):
		return g.mayBeStored
	}
	return false
}

// givenUp is the end of ctx during an upload.
type givenUp struct {
	err         error
	mayBeStored bool
}

func (g *givenUp) Error() string {
	if g.mayBeStored {
		return g.err.Error() + "; all was sent, and the object may be stored"
	}
	return g.err.Error() + "; nothing was stored"
}

func (g *givenUp) Unwrap() error { return g.err }

// FromError turns an error of the raw API into an *Error; nil stays nil.
func (c *Client) FromError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	e := &Error{Code: st.Code(), Message: st.Message()}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			e.Reason, e.Metadata = d.GetReason(), d.GetMetadata()
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	if e.Reason == "" && e.Code == codes.Unavailable {
		e.Message = fmt.Sprintf("no answer from brokerd on %s: %s; is the daemon running, and may this user open the socket?", c.socket, st.Message())
	}
	return e
}
