package broker

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/brokerd/brokerd/internal/secret"
)

// Session is one role session. It is immutable: a refresh makes a new one.
type Session struct {
	AccessKeyID     string
	SecretAccessKey secret.String
	SessionToken    secret.String
	AssumedRoleARN  string    // ARN of the assumed-role user; empty when source credentials are used as they are
	Issued          time.Time // when the response arrived, by the local clock
	Expires         time.Time // as STS stated; zero for source credentials that do not expire
	RefreshAt       time.Time // when the background refresh is due; zero: never
	Generation      uint64    // counts the sessions of this key, from 1

	goodUntil  int64     // by STS's clock, Unix nanoseconds; before it, no other check is needed
	dueAt      int64     // RefreshAt, in the same unit
	serverTime time.Time // STS's time in the response; zero: unknown
}

// good reports whether more than a minute is left at now, in Unix nanoseconds of STS's
// clock. Nearly every read ends here.
func (s *Session) good(now int64) bool { return now < s.goodUntil }

// MaskedAccessKeyID returns the last four characters of the id.
func (s *Session) MaskedAccessKeyID() string {
	if len(s.AccessKeyID) <= 4 {
		return "****"
	}
	return "****" + s.AccessKeyID[len(s.AccessKeyID)-4:]
}

// credentials returns the session for the SDK's signer. CanExpire is false on purpose:
// this package keeps the expiry, and a cache of the SDK would apply its own rules.
func (s *Session) credentials() aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     s.AccessKeyID,
		SecretAccessKey: s.SecretAccessKey.Reveal(),
		SessionToken:    s.SessionToken.Reveal(),
		Source:          "brokerd",
	}
}

// State is the stage of a session's life.
type State string

// The states, in the order of a life.
const (
	StateEmpty    State = "empty"
	StateFresh    State = "fresh"
	StateDue      State = "due"
	StateCritical State = "critical"
	StateExpired  State = "expired"
)

// Status describes a session. It holds no secret.
type Status struct {
	Destination     string
	AssumedRoleARN  string
	State           State
	AccessKeyMasked string
	Generation      uint64
	Issued          time.Time
	Expires         time.Time
	RefreshAt       time.Time
	// TimeLeft and RefreshIn are the times until Expires and RefreshAt by AWS's clock.
	TimeLeft, RefreshIn time.Duration
	LastError           string // empty after a success
	LastErrorReason     string // SESSION_DENIED | SESSION_UNAVAILABLE
	STSCalls            uint64
	Clamped             bool   // the configured duration was cut to 1h: the source is a role session
	Scope               string // the limit of the session, or why there is none

	// The counters start with the first session of the destination. Destinations that
	// share a session share the counters.
	ServedFresh, ServedDue, ServedCritical uint64
	Vended                                 uint64        // sessions that peers were given
	Waiters                                int           // callers that wait for a refresh now
	LimiterWait                            time.Duration // time spent waiting for the rate limiter of STS calls
}
