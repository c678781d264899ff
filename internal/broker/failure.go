package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/reason"
)

type failureClass int

const (
	failTransient failureClass = iota
	failThrottle
	failTerminal
)

// Error is returned when there is no session for a destination.
type Error struct {
	Destination string
	Role        string
	// Denied is true when STS or the source refused. A retry does not help until a policy
	// or a credential changes.
	Denied     bool
	RetryAfter time.Duration // time until the next attempt
	Err        error
}

// Error names the destination, the role and the cause. It holds no secret.
func (e *Error) Error() string {
	if e.Role == "" {
		return fmt.Sprintf("destination %q: getting the source credentials: %v", e.Destination, e.Err)
	}
	return fmt.Sprintf("destination %q: assuming role %s: %v", e.Destination, e.Role, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason returns reason.SessionDenied or reason.SessionUnavailable.
func (e *Error) Reason() reason.Reason {
	if e.Denied {
		return reason.SessionDenied
	}
	return reason.SessionUnavailable
}

// unusableError is returned for a response that must not become a session.
type unusableError struct{ detail string }

func (e *unusableError) Error() string { return "the response of STS is unusable: " + e.detail }

func classify(err error) failureClass {
	var torn *unusableError
	if errors.As(err, &torn) {
		return failTransient
	}
	switch awserr.SessionFailure(err) {
	case awserr.SessionTerminal:
		return failTerminal
	case awserr.SessionThrottle:
		return failThrottle
	default:
		return failTransient
	}
}

// ReasonOf returns the stable reason of a failed refresh.
func ReasonOf(err error) reason.Reason {
	return (&Error{Denied: classify(err) == failTerminal}).Reason()
}
