package monitor

import (
	"time"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// State is what was found of one destination.
type State struct {
	Destination string
	Result      report.Result // Pass, Fail or Unknown; empty before the first verification has ended
	// Problems are the checks that failed or could not be decided, those that
	// failed first.
	Problems []report.Check
	Checked  time.Time // when the last verification ended
	Since    time.Time // since when the result has been what it is, by the same cause
	Took     time.Duration
	Next     time.Time // when the next one is due; zero when none is
}

// Code is that of the first problem; empty when there is none.
func (s State) Code() string {
	if len(s.Problems) == 0 {
		return ""
	}
	return s.Problems[0].Code
}

// like says whether two states have the same result by the same causes.
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

// found makes a state of a report. A check that only confirms another one, and
// one that is advisory, is no problem of its own.
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
