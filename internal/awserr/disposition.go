package awserr

import (
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
)

// Disposition is what happens to the work after a failure. The zero value is
// Retry: a failure that no table knows costs no data.
type Disposition int

// The dispositions.
const (
	Retry            Disposition = iota // retry with backoff
	RefreshThenRetry                    // replace the session, sign again, retry once
	Park                                // keep the data and pause the destination until a probe succeeds
	Dead                                // this request can never succeed; others of the destination can
	Abort                               // the caller has canceled the work
)

var dispositionNames = [...]string{Retry: "retry", RefreshThenRetry: "refresh_then_retry", Park: "park", Dead: "dead", Abort: "abort"}

// String returns the name of the disposition in lower case.
func (d Disposition) String() string {
	if d < 0 || int(d) >= len(dispositionNames) {
		return fmt.Sprintf("disposition(%d)", int(d))
	}
	return dispositionNames[d]
}

// Disposition returns what happens to work that failed with class c. A refusal
// parks the work and never drops data: people repair access minutes or days later.
func (c Class) Disposition() Disposition {
	switch c {
	case Network, Throttle, Transient, Conflict, NoSuchUpload, Integrity:
		return Retry
	case ExpiredCredentials:
		return RefreshThenRetry
	case Invalid, Precondition:
		return Dead
	case Canceled:
		return Abort
	}
	return Park
}

// objectFaults are the codes that S3 returns because of this one object. Every
// other invalid request has its cause in the configuration, and the next object
// gets the same answer.
var objectFaults = map[string]bool{
	"EntityTooLarge": true, "KeyTooLongError": true, "MetadataTooLarge": true, "InvalidObjectName": true, "RequestHeaderSectionTooLarge": true,
}

// Disposition returns what happens to the work that failed so.
func (i Info) Disposition() Disposition {
	if i.Class == Invalid && !objectFaults[i.Code] {
		return Park
	}
	return i.Class.Disposition()
}

// Failure is a failed delivery of an object that is kept: its cause, and what
// happens to the object. Find it with errors.As.
type Failure struct {
	Disposition Disposition
	Reason      reason.Reason
	After       time.Duration // the least time to the next try; 0: the keeper's own backoff
	Throttled   bool          // the store asks for fewer requests
	Err         error
}

// Error returns the reason and the cause.
func (f *Failure) Error() string {
	if f.Err == nil {
		return string(f.Reason)
	}
	if f.Reason == "" {
		return f.Err.Error()
	}
	return fmt.Sprintf("%s: %v", f.Reason, f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }
