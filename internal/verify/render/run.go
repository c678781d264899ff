package render

import (
	"cmp"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/verify"
)

// Run is one run of verify over any number of destinations.
type Run struct {
	Version string    // of brokerctl
	Started time.Time // with its zone, as people read it
	Took    time.Duration
	Through string // who verified: "the daemon at /run/brokerd/brokerd.sock"
	Results []Result
}

// Result is what came of one destination.
type Result struct {
	verify.Report
	Took time.Duration
	// Err says why the destination could not be verified, or not to the end; what
	// had been found by then is in the report.
	Err error
}

// Verdict is the worst of all: Fail before what could not run before Unknown
// before Pass. ran is false when nothing failed and something could not run.
func (r Run) Verdict() (result verify.Result, ran bool) {
	result, ran = verify.Pass, true
	if len(r.Results) == 0 {
		return verify.Unknown, false
	}
	for _, d := range r.Results {
		if found := d.Verdict(); found == verify.Fail || result == verify.Pass {
			result = found
		}
		ran = ran && d.Err == nil
	}
	return result, ran || result == verify.Fail
}

// Verdict is the report's, but for a destination that was not verified to the
// end and in which nothing had failed by then: that is unknown.
func (r Result) Verdict() verify.Result {
	if found := r.Result(); r.Err == nil || found == verify.Fail {
		return found
	}
	return verify.Unknown
}

// Problem is a check that is not all right.
type Problem struct {
	verify.Check
	// Number is its place among the destination's failures, from 1; 0 for what did not fail.
	Number int
	// SameFixAs is the number of an earlier failure that the same change repairs.
	SameFixAs int
}

// Problems are the checks that are not all right: failures first, those of
// account A before those of B, then what should be changed, then what could not
// be decided. What only confirms another finding is left out, and so is what
// could not be decided and decides nothing; see Advisory.
func Problems(r verify.Report) []Problem {
	var out []Problem
	for _, c := range r.Checks {
		switch {
		case c.Confirms != "" || advisory(c):
		case c.Result == verify.Fail, c.Result == verify.Warn, c.Result == verify.Unknown:
			out = append(out, Problem{Check: c})
		}
	}
	rank := map[verify.Result]int{verify.Fail: 0, verify.Warn: 1, verify.Unknown: 2}
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank[a.Result], rank[b.Result]), cmp.Compare(sideRank(a.Check), sideRank(b.Check)))
	})
	seen := make(map[string]int)
	for i := range out {
		if out[i].Result != verify.Fail {
			break
		}
		out[i].Number = i + 1
		if id := fixID(out[i].Fix); id != "" {
			if first, ok := seen[id]; ok {
				out[i].SameFixAs = first
			} else {
				seen[id] = i + 1
			}
		}
	}
	return out
}

// advisory says that a check could not be decided, and that nothing hangs on it.
func advisory(c verify.Check) bool { return c.Result == verify.Unknown && c.Advisory }

// Advisory are the checks that could not be decided and decide nothing: most lack
// a document that was not given.
func Advisory(r verify.Report) []verify.Check {
	var out []verify.Check
	for _, c := range r.Checks {
		if advisory(c) {
			out = append(out, c)
		}
	}
	return out
}

func sideRank(c verify.Check) int {
	switch fixAccount(c).Side {
	case verify.SideA:
		return 0
	case verify.SideB:
		return 1
	}
	return 2
}

// fixAccount is where the check is repaired: where its fix is, else where its fault is.
func fixAccount(c verify.Check) verify.Account {
	if c.Fix.Account != (verify.Account{}) {
		return c.Fix.Account
	}
	return c.Account
}

// fixID is the same for fixes that are one change.
func fixID(f verify.Fix) string {
	switch {
	case f.IsZero():
		return ""
	case len(f.Patch) > 0:
		return string(f.Kind) + "\x00" + f.Target + "\x00" + f.Policy + "\x00" + string(f.Patch)
	}
	return string(f.Kind) + "\x00" + f.Target + "\x00" + f.Policy + "\x00" + f.Text
}
