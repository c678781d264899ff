package uploader

import (
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/reason"
)

// Error is a delivery that AWS, or the way to it, made fail.
type Error struct {
	Destination string
	Op          string // "s3:PutObject", "s3:UploadPart", …
	Reason      reason.Reason
	Info        awserr.Info
	After       time.Duration // how long the store wants to be left alone; 0: not said
	Err         error
}

// Error says which destination, which call and what was answered.
func (e *Error) Error() string {
	msg := e.Info.Message
	if msg == "" {
		msg = e.Err.Error()
	}
	text := fmt.Sprintf("destination %q: %s: ", e.Destination, e.Op)
	if e.Info.Code != "" {
		text += e.Info.Code + ": "
	}
	text += msg
	if e.Info.RequestID != "" {
		text += " (request id " + e.Info.RequestID + ")"
	}
	return text + hint(e.Reason, e.Destination)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func hint(r reason.Reason, destination string) string {
	switch r {
	case reason.AccessDenied, reason.KMSKeyUnusable, reason.WrongRegion, reason.BucketNotFound:
		return "; run 'brokerctl verify " + destination + "' to see what to change"
	default:
		return ""
	}
}

func reasonOf(class awserr.Class) reason.Reason {
	switch class {
	case awserr.Network:
		return reason.Network
	case awserr.Throttle:
		return reason.Throttled
	case awserr.Transient, awserr.Conflict, awserr.NoSuchUpload:
		return reason.AWSUnavailable
	case awserr.ExpiredCredentials:
		return reason.CredentialsExpired
	case awserr.AccessDenied, awserr.BadCredentials, awserr.ClockSkew, awserr.Owner:
		return reason.AccessDenied
	case awserr.NotFound:
		return reason.BucketNotFound
	case awserr.KeyState:
		return reason.KMSKeyUnusable
	case awserr.Region:
		return reason.WrongRegion
	case awserr.Integrity:
		return reason.ChecksumMismatch
	default:
		return reason.AWSRefused
	}
}

// MismatchError says that S3 confirmed something else than what was asked for.
type MismatchError struct {
	Destination, Bucket, Key string
	Field, Want, Got         string
	// Stored is true when the object exists all the same: a write-only role cannot take it back.
	Stored bool
}

// Error says what differed and what became of the object.
func (e *MismatchError) Error() string {
	fate := "nothing was stored"
	if e.Stored {
		fate = fmt.Sprintf("the object s3://%s/%s exists and has to be looked at", e.Bucket, e.Key)
	}
	got := e.Got
	if got == "" {
		got = "nothing"
	}
	return fmt.Sprintf("destination %q: asked for %s %s, the answer says %s; %s", e.Destination, e.Field, e.Want, got, fate)
}

// EncodedError says that an upload came with a content encoding to a destination
// that compresses.
type EncodedError struct{ Destination, Encoding, Compression string }

// Error says what to leave out.
func (e *EncodedError) Error() string {
	return fmt.Sprintf("destination %q compresses with %s, and the upload came with the content encoding %q: send it as it is", e.Destination, e.Compression, e.Encoding)
}
