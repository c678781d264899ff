package cli

import (
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// writeVerification shows the last result of the daemon's own verification. Where it
// differs from the destination's readiness, it says why both hold. row writes two
// columns.
func writeVerification(row func(format string, args ...any), p console.Palette, d *brokerdv1.Destination, now time.Time) {
	v := d.GetVerification()
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
	if text := disagreement(d); text != "" {
		row("\t%s", text)
	}
}

// disagreement explains a readiness that differs from the last verification; empty when
// both agree. Each of the two may be the newer fact.
func disagreement(d *brokerdv1.Destination) string {
	v, verify := d.GetVerification(), "brokerctl verify "+d.GetName()
	checked := v.GetCheckTime().AsTime()
	switch result := v.GetResult(); {
	case d.GetReady() && result == brokerdv1.CheckResult_CHECK_RESULT_FAIL:
		if stored := d.GetLastStoredTime(); stored != nil && stored.AsTime().After(checked) {
			return "ready all the same: an object was stored after that run. Verify now: " + verify
		}
		return "ready all the same: no failed check stops an upload, or a newer verification passed. Verify now: " + verify
	case !d.GetReady() && result == brokerdv1.CheckResult_CHECK_RESULT_PASS:
		if at := d.GetSpool().GetParkedTime(); at != nil && at.AsTime().Before(checked) {
			return "not ready all the same: the spool still holds its objects back. Deliver them now: brokerctl spool retry -d " + d.GetName()
		}
		return "not ready all the same: that run was before the failure above. Verify now: " + verify
	}
	return ""
}
