package uploader

import (
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/reason"
)

// Error is a delivery that failed because of AWS or the network.
type Error struct {
	Destination string
	Op          string // "s3:PutObject", "s3:UploadPart", …
	Reason      reason.Reason
	Info        awserr.Info
	After       time.Duration // how long the store asked to wait; 0: not stated
	Err         error
}

// Error names the destination, the call and the response.
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

// Unwrap returns the cause.
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

// MismatchError is returned when S3 confirmed other properties than requested.
type MismatchError struct {
	Destination, Bucket, Key string
	Field, Want, Got         string
	// Stored is true when the object exists: a write-only role cannot delete it.
	Stored bool
}

// Error names the difference and the state of the object.
func (e *MismatchError) Error() string {
	outcome := "no object was stored"
	if e.Stored {
		outcome = fmt.Sprintf("the object s3://%s/%s exists: check it, and delete it if it is wrong", e.Bucket, e.Key)
	}
	got := e.Got
	if got == "" {
		got = "none"
	}
	return fmt.Sprintf(
		"destination %q: S3 confirmed another property than requested: %s, want %s, got %s; %s",
		e.Destination,
		e.Field,
		e.Want,
		got,
		outcome,
	)
}

// EncodedError is returned for an upload with a content encoding to a destination that
// compresses.
type EncodedError struct{ Destination, Encoding, Compression string }

// Error names the encoding to leave out.
func (e *EncodedError) Error() string {
	return fmt.Sprintf(
		"destination %q compresses with %s, and the upload has the content encoding %q: send it uncompressed and without that encoding",
		e.Destination,
		e.Compression,
		e.Encoding,
	)
}
