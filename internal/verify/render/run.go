package render

import (
	"cmp"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/verify/report"
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
	report.Report
	Took time.Duration
	// Err says why the destination could not be verified, or not to the end; what
	// had been found by then is in the report.
	Err error
}

// Verdict is the worst of all: Fail before what could not run before Unknown
// before Pass. ran is false when nothing failed and something could not run.
func (r Run) Verdict() (result report.Result, ran bool) {
	result, ran = report.Pass, true
	if len(r.Results) == 0 {
		return report.Unknown, false
	}
	for _, d := range r.Results {
		if found := d.Verdict(); found == report.Fail || result == report.Pass {
			result = found
		}
		ran = ran && d.Err == nil
	}
	return result, ran || result == report.Fail
}

// Verdict is the report's, but for a destination that was not verified to the
// end and in which nothing had failed by then: that is unknown.
func (r Result) Verdict() report.Result {
	if found := r.Result(); r.Err == nil || found == report.Fail {
		return found
	}
	return report.Unknown
}

// Problem is a check that is not all right.
type Problem struct {
	report.Check
	// Number is its place among the destination's failures, from 1; 0 for what did not fail.
	Number int
	// SameFixAs is the number of an earlier failure that the same change repairs.
	SameFixAs int
}

// Problems are the checks that are not all right: failures first, those of
// account A before those of B, then what should be changed, then what could not
// be decided. What only confirms another finding is left out, and so is what
// could not be decided and decides nothing; see Advisory.
func Problems(r report.Report) []Problem {
	var out []Problem
	for _, c := range r.Checks {
		switch {
		case c.Confirms != "" || advisory(c):
		case c.Result == report.Fail, c.Result == report.Warn, c.Result == report.Unknown:
			out = append(out, Problem{Check: c})
		}
	}
	rank := map[report.Result]int{report.Fail: 0, report.Warn: 1, report.Unknown: 2}
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(rank[a.Result], rank[b.Result]), cmp.Compare(sideRank(a.Check), sideRank(b.Check)))
	})
	seen := make(map[string]int)
	for i := range out {
		if out[i].Result != report.Fail {
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
func advisory(c report.Check) bool { return c.Result == report.Unknown && c.Advisory }

// Advisory are the checks that could not be decided and decide nothing: most lack
// a document that was not given.
func Advisory(r report.Report) []report.Check {
	var out []report.Check
	for _, c := range r.Checks {
		if advisory(c) {
			out = append(out, c)
		}
	}
	return out
}

func sideRank(c report.Check) int {
	switch fixAccount(c).Side {
	case report.SideA:
		return 0
	case report.SideB:
		return 1
	}
	return 2
}

// fixAccount is where the check is repaired: where its fix is, else where its fault is.
func fixAccount(c report.Check) report.Account {
	if c.Fix.Account != (report.Account{}) {
		return c.Fix.Account
	}
	return c.Account
}

// fixID is the same for fixes that are one change.
func fixID(f report.Fix) string {
	switch {
	case f.IsZero():
		return ""
	case len(f.Patch) > 0:
		return string(f.Kind) + "\x00" + f.Target + "\x00" + f.Policy + "\x00" + string(f.Patch)
	}
	return string(f.Kind) + "\x00" + f.Target + "\x00" + f.Policy + "\x00" + f.Text
}
