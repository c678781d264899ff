package watch

import (
	"path"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/watch/safefile"
)

// State is the progress of a file.
type State string

// The states of a file.
const (
	Waiting  State = "waiting" // a rule holds it back, or it waits for its turn
	InFlight State = "in_flight"
	Retrying State = "retrying" // its last try failed
	Removing State = "removing" // it is delivered, and could not be removed or moved yet
	DeadFile State = "dead"     // it cannot be delivered as it is
	Refused  State = "refused"  // it must not be read
	Left     State = "left"     // too old, too small, or not matched: it stays
	Kept     State = "kept"     // it is delivered, and stays
	Skipped  State = "skipped"  // a person decided that it stays
)

// The rules that hold a file back.
const (
	RuleTurn     = "turn"      // it is finished, and waits for its turn
	RuleIdle     = "idle"      // it changed less than finished.idle ago
	RuleClosed   = "closed"    // a process has it open for writing
	RuleMarker   = "marker"    // its marker does not exist
	RuleMinSize  = "min_size"  // it is smaller than finished.min_size
	RuleMaxAge   = "max_age"   // it is older than max_age
	RuleSince    = "since"     // it is older than since
	RuleMatch    = "match"     // its path does not match the regular expression
	RuleOwner    = "owner"     // it belongs to another user
	RuleLinks    = "links"     // it has several names, or is a symbolic link
	RuleKind     = "kind"      // it is no regular file
	RuleOutside  = "outside"   // it is on another file system, or its path leaves the directory
	RulePaused   = "paused"    // the destination takes nothing now
	RuleRetry    = "retry"     // its last try failed
	RuleRemove   = "remove"    // it could not be removed or moved
	RuleDead     = "dead"      // it cannot be delivered as it is
	RuleDone     = "delivered" // it is delivered
	RuleSkipped  = "skipped"   // a person decided so
	RuleInFlight = "in_flight" // it is being sent
)

// inode names a file, whatever its path is.
type inode struct{ device, number uint64 }

// beginning is the fixed beginning of globs.
type beginning struct {
	dir   string
	globs []int // in the setting
}

// file is what the watch remembers of one file.
type file struct {
	from *beginning
	rel  string // relative to the beginning
	disk string // its staged name, after a crash during its removal; empty otherwise
	info safefile.Info
	// stable is when info was seen first, and seen the number of the last scan that saw it.
	stable time.Time
	seen   uint64

	state State
	rule  string
	since time.Time // of rule

	id      identity
	stored  *delivered // it is delivered
	tries   int
	next    time.Time // of the next try
	pauses  *backoff.ExponentialBackOff
	reason  reason.Reason
	message string
}

// delivered describes the content that was delivered.
type delivered struct {
	sum   uint32
	known bool  // sum is known
	ctime int64 // when it was read
}

// path returns the absolute path that the file has, or had before it was staged.
func (f *file) path() string { return path.Join(f.from.dir, f.rel) }

// named returns the name on disk, relative to the beginning.
func (f *file) named() string {
	if f.disk != "" {
		return f.disk
	}
	return f.rel
}

// hold sets the state and the rule of a file. The time of the rule stays while it is the same.
func (f *file) hold(s State, rule string, now time.Time) {
	if f.rule != rule {
		f.rule, f.since = rule, now
	}
	f.state = s
}

// renew forgets everything about the earlier content of the file.
func (f *file) renew() {
	f.state, f.id, f.stored = Waiting, identity{}, nil
	f.tries, f.next, f.pauses, f.reason, f.message = 0, time.Time{}, nil, "", ""
}

const (
	firstRetry = 5 * time.Second
	lastRetry  = 10 * time.Minute
)

// failed schedules the next try.
func (f *file) failed(now time.Time, e *Failure) {
	f.tries++
	if f.pauses == nil {
		f.pauses = growing(firstRetry, lastRetry)
	}
	f.next = now.Add(max(f.pauses.NextBackOff(), e.After))
	f.reason, f.message = e.Reason, e.Message
}

// growing returns pauses that double from first to last.
func growing(first, last time.Duration) *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: first, MaxInterval: last, Multiplier: 2, RandomizationFactor: 0.2}
}
