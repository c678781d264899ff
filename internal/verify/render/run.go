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
	Started time.Time // with its time zone
	Took    time.Duration
	Through string // the process that verified: "the daemon at /run/brokerd/brokerd.sock"
	Results []Result
}

// Result is the result of one destination.
type Result struct {
	report.Report
	Took time.Duration
	// Err is the reason why the destination could not be verified to the end. The
	// report holds the checks before it.
	Err error
}

// Verdict returns the worst result: Fail, then Unknown, then Pass. ran is false when
// no destination failed and one could not be verified.
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

// Verdict returns the result of the report. A destination that was not verified to
// the end is Unknown, unless a check failed before.
func (r Result) Verdict() report.Result {
	if found := r.Result(); r.Err == nil || found == report.Fail {
		return found
	}
	return report.Unknown
}

// Problem is a check that failed, warned, or was not decided.
type Problem struct {
	report.Check
	// Number counts the failures of the destination, from 1; 0 for other problems.
	Number int
	// SameFixAs is the number of an earlier failure that the same change repairs; 0: none.
	SameFixAs int
}

// Problems returns failures, then warnings, then undecided checks; within each,
// those of account A first. It leaves out checks that only confirm another finding,
// and undecided checks that no result depends on; see Advisory.
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

// advisory reports whether a check is undecided and no result depends on it.
func advisory(c report.Check) bool { return c.Result == report.Unknown && c.Advisory }

// Advisory returns the undecided checks that no result depends on. Most of them
// need a document that was not supplied.
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

// fixAccount returns the account of the fix, or else the account at fault.
func fixAccount(c report.Check) report.Account {
	if c.Fix.Account != (report.Account{}) {
		return c.Fix.Account
	}
	return c.Account
}

// fixID is equal for equal changes.
func fixID(f report.Fix) string {
	switch {
	case f.IsZero():
		return ""
	case len(f.Patch) > 0:
		return string(f.Kind) + "\x00" + f.Target + "\x00" + f.Policy + "\x00" + string(f.Patch)
	}
	return string(f.Kind) + "\x00" + f.Target + "\x00" + f.Policy + "\x00" + f.Text
}
