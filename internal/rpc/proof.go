package rpc

import brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"

// Proof is what the checks of one verification say about deliveries, for health.
type Proof struct {
	broken    string
	undecided bool
}

// Add takes one check in.
func (p *Proof) Add(c *brokerdv1.VerifyAccessResponse) {
	if c.GetSummary() != nil || !aboutDelivery(c) {
		return
	}
	switch c.GetResult() {
	case brokerdv1.CheckResult_CHECK_RESULT_FAIL:
		if p.broken == "" {
			p.broken = c.GetCode() + ": " + c.GetDetail()
		}
	case brokerdv1.CheckResult_CHECK_RESULT_PASS, brokerdv1.CheckResult_CHECK_RESULT_WARN:
	default:
		p.undecided = true
	}
}

// aboutDelivery says whether a check decides over the destination's health. A
// role that may do more than it should delivers all the same.
func aboutDelivery(c *brokerdv1.VerifyAccessResponse) bool {
	switch c.GetCategory() {
	case "policy", "least privilege", "audit":
		return false
	}
	return !c.GetAdvisory()
}
