package sandbox

import (
	"maps"
	"net/http"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// ownPolicies are a caller's own policies. A nil boundary or session list means
// that there is none.
type ownPolicies struct {
	identity, boundary, session []iampolicy.NamedPolicy
}

// decide asks the policy engine with the caller's policies, the organization's
// and the VPC endpoint's as they are now.
func (k *kernel) decide(a access) (iampolicy.Scenario, iampolicy.Result) {
	c := a.caller
	ctx := c.context()
	maps.Copy(ctx, a.context)
	ctx["aws:ResourceAccount"] = []string{a.owner}
	sc := iampolicy.Scenario{
		Request: iampolicy.Request{
			Principal:       c.arn,
			Action:          a.action,
			Resource:        a.resource,
			ResourceAccount: a.owner,
			Context:         ctx,
			RoleARN:         c.roleARN,
			PrincipalID:     c.id,
		},
		Policies:          iampolicy.PolicySet{Resource: a.policy},
		PublicAccessBlock: a.block,
	}
	own := a.own
	if own == nil {
		own = c.policies()
	}
	sc.Policies.Identity, sc.Policies.Boundary, sc.Policies.Session = own.identity, own.boundary, own.session
	k.guard(&sc, c.account, a.owner)
	if id := ctx["aws:SourceVpce"]; id != nil {
		sc.Policies.VPCEndpoint = k.endpointPolicies(id[0])
	}
	return sc, iampolicy.Evaluate(sc)
}

// principalText is how errors name a principal.
func principalText(arn string) string {
	if arn == "*" {
		return "anonymous"
	}
	return arn
}

// authorize decides a question whose denial is told in full: to a caller in
// the account that owns what is asked for.
func (k *kernel) authorize(cl *call, a access) *apiError {
	sc, res := k.decide(a)
	cl.decided(a, res)
	if res.Decision == iampolicy.Allowed {
		return nil
	}
	e := fail(http.StatusForbidden, "AccessDenied", "%s", iampolicy.AccessDeniedText(sc, res))
	e.denied = true
	return e
}

// decided notes the outcome of a policy decision; a denial is never overwritten.
func (cl *call) decided(a access, res iampolicy.Result) {
	if cl.record.Resource == "" {
		cl.record.Resource = a.resource
	}
	if cl.record.Owner == "" {
		cl.record.Owner = a.owner
	}
	if cl.record.Decision == "denied" {
		return
	}
	cl.record.Decision = "denied"
	if res.Decision == iampolicy.Allowed {
		cl.record.Decision = "allowed"
	}
}
