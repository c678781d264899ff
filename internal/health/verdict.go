package health

import "github.com/brokerd/brokerd/internal/verify/report"

// Verdict condenses the checks of one verification: broken, undecided or proven.
// Its zero value is proven.
type Verdict struct {
	broken    string
	undecided bool
}

// Add takes one check into account.
func (v *Verdict) Add(c report.Check) {
	if !concernsDelivery(c) {
		return
	}
	switch c.Result {
	case report.Fail:
		if v.broken == "" {
			v.broken = c.Code + ": " + c.Why
		}
	case report.Pass, report.Warn:
	default:
		v.undecided = true
	}
}

// concernsDelivery reports whether a check decides over deliveries. A role with
// too many rights, or an unread document, does not stop an upload.
func concernsDelivery(c report.Check) bool {
	switch c.Category {
	case report.CategoryPolicy, report.CategoryPrivilege, report.CategoryAudit:
		return false
	}
	return !c.Advisory
}
