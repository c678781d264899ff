package monitor

import (
	"time"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// State is the result of the last verification of a destination.
type State struct {
	Destination string
	Result      report.Result // Pass, Fail or Unknown; empty before the first verification
	// Problems are the failed checks, and then the undecided ones.
	Problems []report.Check
	Checked  time.Time // when the last verification ended
	Since    time.Time // when the present result, by the same cause, was found first
	Took     time.Duration
	Next     time.Time // when the next one is due; zero when none is
}

// Code returns the code of the first problem; empty when there is none.
func (s State) Code() string {
	if len(s.Problems) == 0 {
		return ""
	}
	return s.Problems[0].Code
}

// like reports whether two states have the same result by the same causes.
func (s State) like(other State) bool {
	if s.Result != other.Result || len(s.Problems) != len(other.Problems) {
		return false
	}
	for i, c := range s.Problems {
		if c.Code != other.Problems[i].Code {
			return false
		}
	}
	return true
}

// found makes a state of a report. A check that only confirms another one is not a
// problem of its own, and neither is an undecided check that no result depends on.
func found(destination string, r report.Report) State {
	s := State{Destination: destination, Result: r.Result()}
	for _, result := range []report.Result{report.Fail, report.Unknown} {
		for _, c := range r.Checks {
			if c.Result == result && c.Confirms == "" && (result == report.Fail || !c.Advisory) {
				s.Problems = append(s.Problems, c)
			}
		}
	}
	return s
}
