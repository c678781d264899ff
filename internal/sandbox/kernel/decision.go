package kernel

import (
	"maps"
	"net/http"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// OwnPolicies are a caller's own policies. A nil boundary or session list means
// that there is none.
type OwnPolicies struct {
	Identity, Boundary, Session []iampolicy.NamedPolicy
}

// Decide asks the policy engine with the caller's policies, the organization's
// and the VPC endpoint's as they are now.
func (k *Kernel) Decide(a Access) (iampolicy.Scenario, iampolicy.Result) {
	c := a.Caller
	ctx := c.Context()
	maps.Copy(ctx, a.Context)
	ctx["aws:ResourceAccount"] = []string{a.Owner}
	sc := iampolicy.Scenario{
		Request: iampolicy.Request{
			Principal:       c.ARN,
			Action:          a.Action,
			Resource:        a.Resource,
			ResourceAccount: a.Owner,
			Context:         ctx,
			RoleARN:         c.RoleARN,
			PrincipalID:     c.ID,
		},
		Policies:          iampolicy.PolicySet{Resource: a.Policy},
		PublicAccessBlock: a.Block,
	}
	own := a.Own
	if own == nil {
		own = c.Policies()
	}
	sc.Policies.Identity, sc.Policies.Boundary, sc.Policies.Session = own.Identity, own.Boundary, own.Session
	k.guard(&sc, c.Account, a.Owner)
	if id := ctx["aws:SourceVpce"]; id != nil {
		sc.Policies.VPCEndpoint = k.endpointPolicies(id[0])
	}
	return sc, iampolicy.Evaluate(sc)
}

// PrincipalText is how errors name a principal.
func PrincipalText(arn string) string {
	if arn == "*" {
		return "anonymous"
	}
	return arn
}

// Authorize decides a question of a caller in the account that owns the resource. Its error
// has the whole reason of a denial.
func (k *Kernel) Authorize(cl *Request, a Access) *Error {
	sc, res := k.Decide(a)
	cl.Decided(a, res)
	if res.Decision == iampolicy.Allowed {
		return nil
	}
	e := Fail(http.StatusForbidden, "AccessDenied", "%s", iampolicy.AccessDeniedText(sc, res))
	e.Denied = true
	return e
}

// Decided notes the outcome of a policy decision; a denial is never overwritten.
func (cl *Request) Decided(a Access, res iampolicy.Result) {
	if cl.Record.Resource == "" {
		cl.Record.Resource = a.Resource
	}
	if cl.Record.Owner == "" {
		cl.Record.Owner = a.Owner
	}
	if cl.Record.Decision == "denied" {
		return
	}
	cl.Record.Decision = "denied"
	if res.Decision == iampolicy.Allowed {
		cl.Record.Decision = "allowed"
	}
}
