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

// Error says why there is no session for a destination.
type Error struct {
	Destination string
	Role        string
	// Denied is true when STS or the source said no: trying again does not help
	// until somebody changes a policy or a credential.
	Denied     bool
	RetryAfter time.Duration // when the next attempt is made
	Err        error
}

// Error names the destination and the role; it never holds a secret.
func (e *Error) Error() string {
	if e.Role == "" {
		return fmt.Sprintf("destination %q: getting the source credentials: %v", e.Destination, e.Err)
	}
	return fmt.Sprintf("destination %q: assuming role %s: %v", e.Destination, e.Role, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason returns reason.SessionDenied or reason.SessionUnavailable.
func (e *Error) Reason() reason.Reason {
	if e.Denied {
		return reason.SessionDenied
	}
	return reason.SessionUnavailable
}

// errTorn is an answer that must not become a session.
type errTorn struct{ what string }

func (e *errTorn) Error() string { return "the answer of STS is unusable: " + e.what }

func classify(err error) failureClass {
	var torn *errTorn
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

// ReasonOf is the stable reason of a failed refresh.
func ReasonOf(err error) reason.Reason {
	return (&Error{Denied: classify(err) == failTerminal}).Reason()
}
