package spool

import (
	"errors"
	"fmt"
	"time"
)

// Fate is what becomes of an object after a failed delivery.
type Fate int

// The fates of a failed delivery.
const (
	Retry Fate = iota // again, after a while
	Park              // the whole destination waits; one object at a time probes
	Bury              // this object will never be delivered: dead/, until an operator decides
)

// Failure says what an error of Deliver means. Found by errors.As.
type Failure struct {
	Fate      Fate
	Reason    string        // stable, in capitals: ACCESS_DENIED
	After     time.Duration // not before; 0: the spool's own back-off
	Throttled bool          // the store asks for fewer requests
	Err       error
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Reason
	}
	if f.Reason == "" {
		return f.Err.Error()
	}
	return fmt.Sprintf("%s: %v", f.Reason, f.Err)
}

// Unwrap gives the error behind it.
func (f *Failure) Unwrap() error { return f.Err }

// The spool's own reasons for burying.
const (
	ReasonCorrupt = "CORRUPT" // the bytes are not those that were accepted
	ReasonMissing = "MISSING" // somebody else removed the file
)

// fateOf reads a delivery's error. Damage on our own disk is final, whatever
// else is said of it: sending it again sends the same bytes.
func fateOf(err error) Failure {
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		return Failure{Fate: Bury, Reason: ReasonCorrupt, Err: err}
	}
	var f *Failure
	if errors.As(err, &f) {
		out := *f
		if out.Err == nil {
			out.Err = err
		}
		return out
	}
	return Failure{Fate: Retry, Err: err}
}
