package iampolicy

import "slices"

// weighSCPs applies the service control policies: every level has to allow and
// none may deny (IAM User Guide, reference_policies_evaluation-logic_policy-eval-denyallow.html).
func (e *evaluation) weighSCPs() {
	e.scp.allow = yes
	for i, level := range e.sc.Policies.ServiceControl {
		var v verdict
		e.weighLevel(&v, LayerSCP, level, i, e.req.caller.account)
		e.scp.present = true
		e.scp.allow = min(e.scp.allow, v.allow)
		e.scp.deny = max(e.scp.deny, v.deny)
	}
	if slices.Contains(e.sc.NotSupplied, LayerSCP) {
		e.scp.present = true
		e.scp.allow, e.scp.deny = min(e.scp.allow, maybe), max(e.scp.deny, maybe)
		e.results = append(e.results, LayerResult{Layer: LayerSCP, Account: e.req.caller.account, Decision: Unknown, Reason: "not supplied"})
	}
}

// weighRCPs applies the resource control policies. RCPFullAWSAccess cannot be
// detached, so only a Deny matters.
func (e *evaluation) weighRCPs() {
	e.rcp.allow = yes
	for i, level := range e.sc.Policies.ResourceControl {
		v := verdict{}
		e.weighLevel(&v, LayerRCP, level, i, e.req.resourceAccount)
		last := &e.results[len(e.results)-1]
		v.allow = yes
		last.Decision = v.decision()
		e.rcp.present = true
		e.rcp.deny = max(e.rcp.deny, v.deny)
	}
	if slices.Contains(e.sc.NotSupplied, LayerRCP) {
		e.rcp.present = true
		e.rcp.deny = max(e.rcp.deny, maybe)
		e.results = append(e.results, LayerResult{Layer: LayerRCP, Account: e.req.resourceAccount, Decision: Unknown, Reason: "not supplied"})
	}
}

func (e *evaluation) weighLevel(v *verdict, l Layer, level LevelPolicies, index int, account string) {
	res := LayerResult{Layer: l, Level: level.Level, levelIndex: index, Account: account}
	for i := range level.Policies {
		e.weighDocument(v, &res, l, level.Policies[i].Name, level.Policies[i].Policy)
	}
	res.Decision = v.decision()
	e.results = append(e.results, res)
}

// rcpApplies lists the services whose resources RCPs protect (Organizations
// User Guide, orgs_manage_policies_rcps.html).
func rcpApplies(service string) bool {
	switch service {
	case "s3", "sts", "kms", "sqs", "secretsmanager", "cognito-identity", "cognito-idp", "logs", "dynamodb", "ecr", "aoss":
		return true
	}
	return false
}
