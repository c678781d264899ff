package spool

import (
	"errors"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/reason"
)

// failureOf reads a delivery's error. Damage on this host's disk is final,
// whatever else the error says: a retry would send the same bytes.
func failureOf(err error) awserr.Failure {
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		return awserr.Failure{Disposition: awserr.Dead, Reason: reason.Corrupt, Err: err}
	}
	var f *awserr.Failure
	if errors.As(err, &f) {
		out := *f
		if out.Err == nil {
			out.Err = err
		}
		return out
	}
	return awserr.Failure{Disposition: awserr.Retry, Err: err}
}
