package iam

import (
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// SimulatePrincipalPolicy and SimulateCustomPolicy: the engine that decides
// the calls decides here, too.

type evaluationXML struct {
	At int `xml:"-"` // number among the results

	EvalActionName       string
	EvalResourceName     string
	EvalDecision         string
	EvalDecisionDetails  struct{}               // of access across accounts, which is not simulated
	MatchedStatements    matchedListXML         `xml:"MatchedStatements"`
	MissingContextValues missingXML             `xml:"MissingContextValues"`
	Boundary             *boundaryDecisionXML   `xml:"PermissionsBoundaryDecisionDetail,omitempty"`
	Organizations        *organizationsDecision `xml:"OrganizationsDecisionDetail,omitempty"`
	Resources            []resourceResultXML    `xml:"ResourceSpecificResults>member"`
}

// resourceResultXML repeats the result for its resource, as AWS does.
type resourceResultXML struct {
	EvalResourceName     string
	EvalResourceDecision string
	MatchedStatements    matchedListXML       `xml:"MatchedStatements"`
	MissingContextValues missingXML           `xml:"MissingContextValues"`
	Boundary             *boundaryDecisionXML `xml:"PermissionsBoundaryDecisionDetail,omitempty"`
}

// The lists are there also when they are empty.
type matchedListXML struct {
	Members []matchedXML `xml:"member"`
}

type missingXML struct {
	Members []string `xml:"member"`
}

type boundaryDecisionXML struct{ AllowedByPermissionsBoundary bool }
type organizationsDecision struct{ AllowedByOrganizations bool }

type matchedXML struct {
	SourcePolicyID   string `xml:"SourcePolicyId"`
	SourcePolicyType string
	StartPosition    positionXML
	EndPosition      positionXML
}

// simulation is the question of both operations.
type simulation struct {
	base      iampolicy.Scenario
	actions   []string
	resources []string
}

func simulatePrincipalPolicy(c *call) (any, error) {
	arn := c.cl.Form.Get("PolicySourceArn")
	if err := c.allow(arn, nil); err != nil {
		return nil, err
	}

	var k *AccessKey
	for _, r := range c.acct.roles {
		if r.arn == arn {
			k = &AccessKey{Account: c.acct.id, Session: &Session{Role: r, Issued: c.cl.Now}}
		}
	}
	for _, u := range c.acct.users {
		if u.arn == arn {
			k = &AccessKey{Account: c.acct.id, User: u}
		}
	}
	for _, g := range c.acct.groups {
		if g.ARN == arn {
			return c.simulateGroup(g)
		}
	}
	if k == nil {
		return nil, kernel.Fail(http.StatusNotFound, "NoSuchEntity", "The entity %s cannot be found.", arn)
	}
	caller := c.iam.CallerLocked(k, k.Session)
	own := IdentityOf(caller).policiesLocked()
	request := iampolicy.Request{Principal: arn, PrincipalID: caller.EntityID, Context: caller.Context()}
	sim := simulation{base: iampolicy.Scenario{Request: request}}
	sim.base.Policies.Identity, sim.base.Policies.Boundary = own.Identity, own.Boundary
	sim.base.Policies.ServiceControl = c.iam.k.ServiceControl(c.acct.id)
	return c.simulate(sim)
}

// simulateGroup asks the policies of a group for a user who has no others.
func (c *call) simulateGroup(g *group) (any, error) {
	sim := simulation{
		base: iampolicy.Scenario{Request: iampolicy.Request{Principal: userARN(c.acct.id, "/", "simulated"), Context: map[string][]string{}}},
	}
	sim.base.Policies.Identity, _ = c.iam.entityPolicies(c.acct.id, g.inline, &g.grants)
	sim.base.Policies.ServiceControl = c.iam.k.ServiceControl(c.acct.id)
	return c.simulate(sim)
}

func simulateCustomPolicy(c *call) (any, error) {
	if err := c.allow("*", nil); err != nil {
		return nil, err
	}
	arn := c.cl.Form.Get("CallerArn")
	if arn == "" {
		arn = userARN(c.acct.id, "/", "simulated")
	}
	return c.simulate(simulation{base: iampolicy.Scenario{Request: iampolicy.Request{Principal: arn, Context: map[string][]string{}}}})
}

func invalidInput(format string, args ...any) *kernel.Error {
	return kernel.Fail(http.StatusBadRequest, "InvalidInput", format, args...)
}

// parsePolicies reads a list of policies from the form.
func parsePolicies(form url.Values, name string) ([]iampolicy.NamedPolicy, error) {
	var out []iampolicy.NamedPolicy
	for i, text := range kernel.FormList(form, name) {
		doc, err := iampolicy.Parse([]byte(text))
		if err != nil {
			return nil, invalidInput("%s.%d: %v", name, i+1, err)
		}
		out = append(out, iampolicy.NamedPolicy{Name: fmt.Sprintf("%s.%d", name, i+1), Policy: doc})
	}
	return out, nil
}

// complete adds the parameters of the request to a simulation.
func (sim *simulation) complete(form url.Values) error {
	sim.actions, sim.resources = kernel.FormList(form, "ActionNames"), kernel.FormList(form, "ResourceArns")
	if len(sim.resources) == 0 {
		sim.resources = []string{"*"}
	}
	more, err := parsePolicies(form, "PolicyInputList")
	if err != nil {
		return err
	}
	sim.base.Policies.Identity = append(slices.Clone(sim.base.Policies.Identity), more...)
	bounds, err := parsePolicies(form, "PermissionsBoundaryPolicyInputList")
	if err != nil {
		return err
	}
	if bounds != nil {
		sim.base.Policies.Boundary = bounds
	}
	if text := form.Get("ResourcePolicy"); text != "" {
		if sim.base.Policies.Resource, err = iampolicy.Parse([]byte(text)); err != nil {
			return invalidInput("ResourcePolicy: %v", err)
		}
	}
	if owner := form.Get("ResourceOwner"); owner != "" {
		sim.base.Request.ResourceAccount = strings.TrimSuffix(strings.TrimPrefix(owner, "arn:aws:iam::"), ":root")
	}
	sim.base.Request.Context = maps.Clone(sim.base.Request.Context)
	for i := 1; ; i++ {
		prefix := fmt.Sprintf("ContextEntries.member.%d.", i)
		key := form.Get(prefix + "ContextKeyName")
		if key == "" {
			return nil
		}
		sim.base.Request.Context[key] = kernel.FormList(form, prefix+"ContextKeyValues")
	}
}

func (c *call) simulate(sim simulation) (any, error) {
	if err := sim.complete(c.cl.Form); err != nil {
		return nil, err
	}
	var list []evaluationXML
	for _, action := range sim.actions {
		for _, resource := range sim.resources {
			sc := sim.base
			sc.Request.Action, sc.Request.Resource = action, resource
			if sc.Request.ResourceAccount == "" {
				sc.Request.ResourceAccount = c.acct.id
			}
			if err := sc.Validate(); err != nil {
				return nil, invalidInput("%v", err)
			}
			x := evaluation(sc, iampolicy.Evaluate(sc))
			x.At = len(list)
			list = append(list, x)
		}
	}
	list, p, err := paginate(c.cl.Form, list, func(x evaluationXML) string { return fmt.Sprintf("%09d", x.At) })
	if err != nil {
		return nil, err
	}
	return struct {
		XMLName xml.Name
		Results []evaluationXML `xml:"EvaluationResults>member"`
		page
	}{resultName(c.cl), list, p}, nil
}

var evalDecisions = map[iampolicy.Decision]string{iampolicy.Allowed: "allowed", iampolicy.ExplicitDeny: "explicitDeny"}

func evaluation(sc iampolicy.Scenario, res iampolicy.Result) evaluationXML {
	x := evaluationXML{EvalActionName: sc.Request.Action, EvalResourceName: sc.Request.Resource, EvalDecision: evalDecisions[res.Decision]}
	if x.EvalDecision == "" {
		x.EvalDecision = "implicitDeny"
	}
	for _, l := range res.Layers {
		allowed := l.Decision == iampolicy.Allowed
		switch l.Layer {
		case iampolicy.LayerBoundary:
			x.Boundary = &boundaryDecisionXML{allowed}
		case iampolicy.LayerSCP:
			x.Organizations = &organizationsDecision{allowed && (x.Organizations == nil || x.Organizations.AllowedByOrganizations)}
		}
		for _, st := range l.Statements {
			if st.Outcome == iampolicy.Matched {
				kind := "IAM Policy"
				if l.Layer == iampolicy.LayerResource {
					kind = "Resource Policy"
				}
				start, end := positions(sourceText(sc, l.Layer, st.Policy), st.Line, st.Column)
				x.MatchedStatements.Members = append(x.MatchedStatements.Members, matchedXML{st.Policy, kind, start, end})
			}
			if missing := &x.MissingContextValues.Members; st.FailedOn == iampolicy.ElementCondition && st.Got == nil && st.Key != "" &&
				!slices.Contains(*missing, st.Key) {
				*missing = append(*missing, st.Key)
			}
		}
	}
	x.Resources = []resourceResultXML{{
		EvalResourceName: x.EvalResourceName, EvalResourceDecision: x.EvalDecision, MatchedStatements: x.MatchedStatements,
		MissingContextValues: x.MissingContextValues, Boundary: x.Boundary,
	}}
	return x
}
