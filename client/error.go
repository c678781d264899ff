package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"syscall"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/brokerd/brokerd/internal/reason"
)

// Error is a refusal or a failure, as the daemon reported it.
type Error struct {
	Code       codes.Code
	Reason     string            // stable, such as "PEER_NOT_ALLOWED", see docs/error-codes.md; empty when no daemon answered
	Message    string            // for people
	Metadata   map[string]string // facts about the reason; never a secret
	RetryAfter time.Duration     // how long to wait before the next try; 0: the daemon did not say
	// MayBeStored reports that an upload was sent whole and that its outcome is unknown.
	// False: there is no object. See the function of that name.
	MayBeStored bool

	refused bool // the daemon refused the connection
}

// Error returns the message with its reason.
func (e *Error) Error() string {
	if e.Reason == "" {
		return e.Message
	}
	return fmt.Sprintf("%s [%s]", e.Message, e.Reason)
}

// Temporary reports whether the same call may succeed later although no person changed
// anything.
func (e *Error) Temporary() bool {
	return e.Code == codes.Unavailable || e.Code == codes.ResourceExhausted || e.Code == codes.Aborted || e.RetryAfter > 0
}

// MayBeStored reports whether the object of a failed upload may exist. False: there is
// none, and sending it again stores it once. True: no answer came after all bytes were
// sent, or the daemon lost the answer of S3. Send it again with the same idempotency
// key, or check the bucket.
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

// givenUp is the error of an upload whose ctx ended.
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

// UnfinishedUpload is a multipart upload that a failed upload left in the bucket, because
// its abort was refused or its completion got no answer. The daemon aborts it when it can.
// Its parts take space until then, and are no object.
type UnfinishedUpload struct {
	Bucket, Key string
	UploadID    string // of S3
}

// Unfinished returns the multipart upload that an upload with this error left in the
// bucket; nil: it left none, or no answer of the daemon said so.
func Unfinished(err error) *UnfinishedUpload {
	var e *Error
	if !errors.As(err, &e) || e.Metadata[reason.UnfinishedUploadID] == "" {
		return nil
	}
	return &UnfinishedUpload{
		Bucket: e.Metadata[reason.UnfinishedBucket], Key: e.Metadata[reason.UnfinishedKey], UploadID: e.Metadata[reason.UnfinishedUploadID],
	}
}

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
		return c.unanswered(st.Message())
	}
	return e
}

// noPreface matches gRPC's error of a connection on which the server said nothing.
var noPreface = regexp.MustCompile(`error reading server preface: .*(use of closed network connection|deadline exceeded|i/o timeout)`)

// unanswered is the error of a call that no daemon answered.
func (c *Client) unanswered(text string) *Error {
	final, last := c.dialer.failure()
	switch {
	case final != nil:
		e := *final
		return &e
	case strings.Contains(text, "keepalive ping failed") || errors.Is(last, errNoPreface) || noPreface.MatchString(text):
		return c.silent()
	case errors.Is(last, fs.ErrNotExist):
		return c.absent(last, "brokerd is not running, or listens on another socket")
	case errors.Is(last, syscall.ECONNREFUSED):
		return c.absent(last, "brokerd has ended without removing its socket")
	case last != nil:
		return c.absent(last, "is brokerd running?")
	}
	e := c.lost("the connection ended before the answer; brokerd may have stopped or restarted")
	e.Metadata = map[string]string{"transport": text}
	return e
}

// absent is the error of a call for which no connection could be made.
func (c *Client) absent(err error, why string) *Error { return c.lost(errno(err) + "; " + why) }

func (c *Client) lost(why string) *Error {
	return &Error{Code: codes.Unavailable, Message: fmt.Sprintf("no answer from brokerd on %s: %s", c.dialer.path, why)}
}

// silent is the error of a call to a daemon that gives no sign of life.
func (c *Client) silent() *Error {
	return &Error{Code: codes.Unavailable, Reason: string(reason.DaemonSilent), Message: fmt.Sprintf(
		"brokerd on %s accepts connections and gives no sign of life: it may be stopped or frozen, or its host out of resources", c.dialer.path)}
}
