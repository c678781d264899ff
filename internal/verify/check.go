package verify

import "time"

// Result is the outcome of one check.
type Result string

// The outcomes.
const (
	Pass    Result = "pass"    // proven
	Warn    Result = "warn"    // works, but should be changed
	Fail    Result = "fail"    // broken
	Unknown Result = "unknown" // could not be decided; never the same as pass
	Skip    Result = "skip"    // not run, because an earlier check failed
)

// Check is the result of one check. Code is the check's own code when it
// passed, and the code of the cause when it did not; each has a page that
// `brokerctl explain CODE` shows.
type Check struct {
	Code         string        `json:"code"`
	Category     string        `json:"category"` // config, host, bucket, identity, delivery or encryption
	Title        string        `json:"title"`    // what is asserted, as a positive statement
	Result       Result        `json:"result"`
	Detail       string        `json:"detail,omitempty"`        // what was seen
	Account      string        `json:"account,omitempty"`       // 12-digit account of the artefact at fault; empty when it is not known
	Artefact     string        `json:"artefact,omitempty"`      // kind of the artefact at fault
	ArtefactARN  string        `json:"artefact_arn,omitempty"`  // its ARN
	Fix          string        `json:"fix,omitempty"`           // what to do
	FixStatement string        `json:"fix_statement,omitempty"` // JSON policy statement that repairs the artefact
	AWSCode      string        `json:"aws_code,omitempty"`
	AWSMessage   string        `json:"aws_message,omitempty"`
	RequestID    string        `json:"request_id,omitempty"`
	Elapsed      time.Duration `json:"elapsed_ns,omitempty"`
}

// The kinds of artefacts that can be at fault.
const (
	ArtefactConfig         = "config"
	ArtefactNetwork        = "network"
	ArtefactClock          = "clock"
	ArtefactCredentials    = "credentials"
	ArtefactTrust          = "trust"
	ArtefactIdentity       = "identity"
	ArtefactSession        = "session"
	ArtefactBucket         = "bucket"
	ArtefactBucketPolicy   = "bucket-policy"
	ArtefactIdentityBucket = "identity or bucket-policy" // S3 said no without saying where
	ArtefactKeyPolicy      = "key-policy"
	ArtefactIdentityKey    = "identity or key-policy"
	ArtefactKeyState       = "key-state"
	ArtefactEncryption     = "encryption"
	ArtefactService        = "service"
)

// Report is the outcome of all checks of one destination.
type Report struct {
	Destination string  `json:"destination"`
	Checks      []Check `json:"checks"`
}

// Result sums the checks up: fail before unknown before pass. Warnings pass.
// A report without a passed check is unknown.
func (r Report) Result() Result {
	out := Unknown
	for _, c := range r.Checks {
		switch c.Result {
		case Fail:
			return Fail
		case Pass, Warn:
			if out == Unknown {
				out = Pass
			}
		}
	}
	for _, c := range r.Checks {
		if c.Result == Unknown {
			return Unknown
		}
	}
	return out
}
