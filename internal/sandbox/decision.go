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

// blamedLayer picks the one layer that AWS names. Explicit denies come first;
// across accounts the resource's policy comes before the caller's own, also
// when it only delegates to the caller's account and the caller's own policy is
// what is missing.
func blamedLayer(sc iampolicy.Scenario, res iampolicy.Result) iampolicy.Layer {
	if res.Decision == iampolicy.ExplicitDeny {
		for _, l := range res.Layers {
			if l.Decision == iampolicy.ExplicitDeny {
				return l.Layer // identity before resource, as the engine lists them
			}
		}
	}
	blocked := func(l iampolicy.Layer) bool { return slices.Contains(res.BlockedBy, l) }
	switch {
	case len(res.BlockedBy) == 0:
		return iampolicy.LayerIdentity
	case !sameAccount(sc) && (blocked(iampolicy.LayerResource) || blocked(iampolicy.LayerIdentity) && delegated(res)):
		return iampolicy.LayerResource
	case blocked(iampolicy.LayerIdentity):
		return iampolicy.LayerIdentity
	}
	return res.BlockedBy[0]
}

// delegated reports whether the resource's policy names the caller's account only.
func delegated(res iampolicy.Result) bool {
	found := false
	for _, l := range res.Layers {
		if l.Layer != iampolicy.LayerResource {
			continue
		}
		for _, st := range l.Statements {
			if st.Outcome != iampolicy.Matched || st.Effect != "Allow" {
				continue
			}
			if st.Grant != iampolicy.GrantAccount {
				return false
			}
			found = true
		}
	}
	return found
}

func sameAccount(sc iampolicy.Scenario) bool {
	parts := strings.SplitN(sc.Request.Principal, ":", 6)
	return len(parts) == 6 && parts[4] == sc.Request.ResourceAccount
}

// authorize decides a question whose denial is told in full: to a caller in
// the account that owns what is asked for.
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
