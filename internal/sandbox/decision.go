package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

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
	switch c.kind {
	case rootUser:
		sc.Policies.Identity = []iampolicy.NamedPolicy{{Name: "root", Policy: w.rootPolicy}}
	case iamUser:
		sc.Policies.Identity = c.user.inline.list()
	case roleSession:
		// The role as it is now: policies changed or deleted after AssumeRole count.
		sc.Policies.Identity = c.session.role.inline.list()
		if c.session.policies != nil {
			sc.Policies.Session = []iampolicy.NamedPolicy{}
			for i, p := range c.session.policies {
				sc.Policies.Session = append(sc.Policies.Session, iampolicy.NamedPolicy{Name: fmt.Sprintf("session-%d", i), Policy: p.doc})
			}
		}
	}
	return sc, iampolicy.Evaluate(sc)
}

func (n namedDocuments) list() []iampolicy.NamedPolicy {
	out := make([]iampolicy.NamedPolicy, 0, len(n))
	for _, name := range slices.Sorted(maps.Keys(n)) {
		out = append(out, iampolicy.NamedPolicy{Name: name, Policy: n[name].doc})
	}
	return out
}

// denialText is AWS's full text for a denial: who, what, on what, and which layer.
func denialText(sc iampolicy.Scenario, res iampolicy.Result, quoteResource bool) string {
	resource := sc.Request.Resource
	on := ""
	if resource != "" && resource != "*" {
		if quoteResource {
			resource = `"` + resource + `"`
		}
		on = " on resource: " + resource
	}
	return fmt.Sprintf("User: %s is not authorized to perform: %s%s %s",
		principalText(sc.Request.Principal), sc.Request.Action, on, denialTail(sc, res))
}

func principalText(arn string) string {
	if arn == "*" {
		return "anonymous"
	}
	return arn
}

// layerWords are the names of the layers in AWS's texts.
var layerWords = map[iampolicy.Layer]string{
	iampolicy.LayerIdentity:     "identity-based policy",
	iampolicy.LayerResource:     "resource-based policy",
	iampolicy.LayerBoundary:     "permissions boundary",
	iampolicy.LayerSession:      "session policy",
	iampolicy.LayerSCP:          "service control policy",
	iampolicy.LayerRCP:          "resource control policy",
	iampolicy.LayerVPCEndpoint:  "VPC endpoint policy",
	iampolicy.LayerPublicAccess: "resource-based policy",
}

func denialTail(sc iampolicy.Scenario, res iampolicy.Result) string {
	layer := blamedLayer(sc, res)
	word := layerWords[layer]
	if layer == iampolicy.LayerResource && strings.HasPrefix(sc.Request.Action, "sts:") {
		word = "role trust policy"
	}
	if res.Decision == iampolicy.ExplicitDeny {
		article := "a"
		if strings.HasPrefix(word, "identity") {
			article = "an"
		}
		return "with an explicit deny in " + article + " " + word
	}
	return "because no " + word + " allows the " + sc.Request.Action + " action"
}

// blamedLayer picks the one layer that AWS names: across accounts the
// resource's policy comes first.
func blamedLayer(sc iampolicy.Scenario, res iampolicy.Result) iampolicy.Layer {
	if len(res.BlockedBy) == 0 {
		return iampolicy.LayerIdentity
	}
	if slices.Contains(res.BlockedBy, iampolicy.LayerResource) && !sameAccount(sc) {
		return iampolicy.LayerResource
	}
	for _, l := range []iampolicy.Layer{iampolicy.LayerIdentity, iampolicy.LayerResource} {
		if slices.Contains(res.BlockedBy, l) {
			return l
		}
	}
	return res.BlockedBy[0]
}

func sameAccount(sc iampolicy.Scenario) bool {
	parts := strings.SplitN(sc.Request.Principal, ":", 6)
	return len(parts) == 6 && parts[4] == sc.Request.ResourceAccount
}

// authorize decides a question for STS and IAM, whose texts are never shortened.
func (w *world) authorize(cl *call, a access) *apiError {
	sc, res := w.decide(a)
	cl.decided(a, res)
	if res.Decision == iampolicy.Allowed {
		return nil
	}
	e := fail(http.StatusForbidden, "AccessDenied", "%s", denialText(sc, res, false))
	e.denied = true
	return e
}

// authorizeIdentity decides by the caller's own policies alone: for calls whose
// resource has no policy.
func (w *world) authorizeIdentity(cl *call, a access) *apiError { return w.authorize(cl, a) }
