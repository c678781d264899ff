package cli

import (
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// writeVerification shows the last result of the daemon's own verification. row writes
// two columns.
func writeVerification(row func(format string, args ...any), p console.Palette, v *brokerdv1.Verification, now time.Time) {
	if v == nil {
		return // it is off, or the first one has not ended yet
	}
	mark := p.Warn("? unknown")
	switch v.GetResult() {
	case brokerdv1.CheckResult_CHECK_RESULT_PASS:
		mark = p.Good("✓ passed")
	case brokerdv1.CheckResult_CHECK_RESULT_FAIL:
		mark = p.Bad("✗ failed")
	}
	next := ""
	if v.GetNextTime() != nil {
		next = ", again in " + console.Span(true, v.GetNextTime().AsTime().Sub(now))
	}
	row("  verified\t%s for %s; last run %s ago%s", mark, console.Span(true, now.Sub(v.GetSinceTime().AsTime())),
		console.Span(true, now.Sub(v.GetCheckTime().AsTime())), next)
	for _, problem := range v.GetProblems() {
		where := ""
		if problem.GetAccount() != "" {
			where = " (" + problem.GetArtefact() + ", account " + problem.GetAccount() + ")"
		}
		row("\t%s%s: %s", problem.GetCode(), where, problem.GetDetail())
	}
}
