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
	Issued          time.Time // when the answer arrived, by the local clock
	Expires         time.Time // as STS said; zero for source credentials that do not expire
	RefreshAt       time.Time // when the background refresh is due; zero: never
	Generation      uint64    // counts the sessions of this key, from 1

	goodUntil  int64     // Unix nanoseconds of STS's clock; until then it is served without another look
	dueAt      int64     // RefreshAt, the same way
	serverTime time.Time // what STS's clock said with the answer; zero: unknown
}

// good says whether more than a minute is left at a time of STS's clock, in Unix
// nanoseconds. It is what nearly every read comes down to.
func (s *Session) good(now int64) bool { return now < s.goodUntil }

// MaskedAccessKeyID shows the last four characters only.
func (s *Session) MaskedAccessKeyID() string {
	if len(s.AccessKeyID) <= 4 {
		return "****"
	}
	return "****" + s.AccessKeyID[len(s.AccessKeyID)-4:]
}

// credentials are what the SDK's signer takes. CanExpire is left off on purpose:
// expiry is this package's business, and an SDK cache above would second-guess it.
func (s *Session) credentials() aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     s.AccessKeyID,
		SecretAccessKey: s.SecretAccessKey.Reveal(),
		SessionToken:    s.SessionToken.Reveal(),
		Source:          "brokerd",
	}
}

// State says where a session stands in its life.
type State string

// The states, in the order of a life.
const (
	StateEmpty    State = "empty"
	StateFresh    State = "fresh"
	StateDue      State = "due"
	StateCritical State = "critical"
	StateExpired  State = "expired"
)

// Status is what may be shown of a session. It holds no secret.
type Status struct {
	Destination     string
	AssumedRoleARN  string
	State           State
	AccessKeyMasked string
	Generation      uint64
	Issued          time.Time
	Expires         time.Time
	RefreshAt       time.Time
	LastError       string // empty after a success
	LastErrorReason string // SESSION_DENIED | SESSION_UNAVAILABLE
	STSCalls        uint64
	Clamped         bool   // the configured duration was cut to 1h: the source is a role session
	Scope           string // what the session is limited to, or why it is not

	// What follows counts since the daemon began with this session. Destinations
	// that share a session share the counts.
	ServedFresh, ServedDue, ServedCritical uint64
	Vended                                 uint64        // sessions of their own that peers were given
	Waiters                                int           // callers that wait for a refresh now
	TurnWait                               time.Duration // time spent on waiting for a turn to call STS
}
