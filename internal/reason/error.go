package reason

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
)

// The keys of Metadata that name a multipart upload that a failed upload left in the bucket.
const (
	UnfinishedBucket   = "unfinished_bucket"
	UnfinishedKey      = "unfinished_key"
	UnfinishedUploadID = "unfinished_upload_id"
)

// Error is an error that carries its reason. Its zero fields are filled from the
// row of the reason. The goroutine that made an *Error may change it until it returns it.
type Error struct {
	Reason  Reason
	Message string // for people; never a secret
	// RetryAfter is how long to wait before the next try; 0: not said.
	RetryAfter time.Duration
	// Metadata holds facts for programs, such as the destination; never a secret.
	Metadata map[string]string
	// Status replaces the row's gRPC code; codes.OK: the row's.
	Status codes.Code
	Err    error // the cause; may be nil
}

// New returns an error with a reason and a text for people.
func New(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns err with a reason; its text is that of err.
func Wrap(r Reason, err error) *Error { return &Error{Reason: r, Message: err.Error(), Err: err} }

// Error returns the text for people.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Code returns the status code of the gRPC API.
func (e *Error) Code() codes.Code {
	if e.Status != codes.OK {
		return e.Status
	}
	return e.Reason.Code()
}

// With adds a fact for programs, and returns e. An empty value adds nothing.
func (e *Error) With(key, value string) *Error {
	if value == "" {
		return e
	}
	if e.Metadata == nil {
		e.Metadata = make(map[string]string)
	}
	e.Metadata[key] = value
	return e
}

// After sets how long to wait before the next try, and returns e.
func (e *Error) After(d time.Duration) *Error {
	e.RetryAfter = d
	return e
}
