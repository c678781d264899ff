package sandbox

import (
	"maps"
	"net/http"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// access is one question to the policy engine.
type access struct {
	caller   *caller
	action   string
	resource string
	owner    string // account of the resource
	context  map[string][]string
	policy   *iampolicy.Document // the resource's own policy, nil for none
	block    *iampolicy.PublicAccessBlock
}

// decide asks the engine. The caller holds mu.
func (w *world) decide(a access) (iampolicy.Scenario, iampolicy.Result) {
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
			RoleARN:         c.roleARN(),
			PrincipalID:     c.id,
		},
		Policies:          iampolicy.PolicySet{Resource: a.policy},
		PublicAccessBlock: a.block,
	}
	sc.Policies.Identity, sc.Policies.Boundary, sc.Policies.Session = w.callerPolicies(c)
	w.guard(&sc, c.account, a.owner)
	if id := ctx["aws:SourceVpce"]; id != nil && w.endpoints[id[0]] != nil {
		sc.Policies.VPCEndpoint = w.endpoints[id[0]].policies
	}
	return sc, iampolicy.Evaluate(sc)
}

func principalText(arn string) string {
	if arn == "*" {
		return "anonymous"
	}
	return arn
}

// authorize decides a question whose denial is told in full: to a caller in
// the account that owns what is asked for.
func (w *world) authorize(cl *call, a access) *apiError {
	sc, res := w.decide(a)
	cl.decided(a, res)
	if res.Decision == iampolicy.Allowed {
		return nil
	}
	e := fail(http.StatusForbidden, "AccessDenied", "%s", iampolicy.AccessDeniedText(sc, res))
	e.denied = true
	return e
}
