package iampolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

const maxScenarioBytes = 4 << 20

// DecodeScenario reads the JSON form of a scenario and checks it. Errors give
// the place where there is one.
func DecodeScenario(data []byte) (Scenario, error) {
	var sc Scenario
	text := string(data)
	root, err := policytext.Read(text, maxScenarioBytes)
	if err != nil {
		return sc, fmt.Errorf("scenario: %w", err)
	}
	if err := checkPolicies(text, root.Get("policies")); err != nil {
		return sc, fmt.Errorf("scenario: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&sc); err != nil {
		var wrongType *json.UnmarshalTypeError
		if errors.As(err, &wrongType) {
			line, column := policytext.Place(string(data), int(wrongType.Offset))
			return Scenario{}, fmt.Errorf(
				"scenario: line %d, column %d: %s: want %s, not %s",
				line,
				column,
				wrongType.Field,
				wrongType.Type,
				wrongType.Value,
			)
		}
		if _, name, found := strings.Cut(err.Error(), `unknown field "`); found {
			if at := root.Find(strings.TrimSuffix(name, `"`)); at >= 0 {
				line, column := policytext.Place(text, at)
				return Scenario{}, fmt.Errorf("scenario: line %d, column %d: %w", line, column, err)
			}
		}
		return Scenario{}, fmt.Errorf("scenario: %w", err)
	}
	if err := sc.Validate(); err != nil {
		return Scenario{}, fmt.Errorf("scenario: %w", err)
	}
	return sc, nil
}

// checkPolicies parses the policies inside a scenario, so that errors give
// their place in the scenario and not in the policy.
func checkPolicies(text string, n *policytext.Node) error {
	if n == nil {
		return nil
	}
	for i := range n.Members {
		m := &n.Members[i]
		if m.Value.Kind != policytext.ObjectNode || m.Key != "policy" && m.Key != "resource" {
			if err := checkPolicies(text, &m.Value); err != nil {
				return err
			}
			continue
		}
		_, err := Parse([]byte(text[m.Value.Pos:m.Value.End]))
		var syntax *policytext.SyntaxError
		if errors.As(err, &syntax) {
			line, column := policytext.Place(text, m.Value.Pos)
			if syntax.Line == 1 {
				syntax.Column += column - 1
			}
			syntax.Line += line - 1
			return syntax
		}
	}
	for i := range n.Elems {
		if err := checkPolicies(text, &n.Elems[i]); err != nil {
			return err
		}
	}
	return nil
}

// UnmarshalJSON reads a request. A context value may be a string, a number, a
// boolean or a list of them; null says that the value is not known.
func (r *Request) UnmarshalJSON(data []byte) error {
	type plain Request
	in := struct {
		*plain
		Context contextValues `json:"context"`
	}{plain: (*plain)(r)}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	r.Context = nil
	for k, v := range in.Context {
		if v == nil {
			r.UnknownContext = append(r.UnknownContext, k)
			continue
		}
		if r.Context == nil {
			r.Context = make(map[string][]string, len(in.Context))
		}
		r.Context[k] = *v
	}
	slices.Sort(r.UnknownContext)
	return nil
}

// contextValues are the context of a request as JSON has it; null is a nil list.
type contextValues map[string]*policytext.StringList

func (c *contextValues) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, (*map[string]*policytext.StringList)(c)); err != nil {
		return fmt.Errorf("context: %w", err)
	}
	return nil
}

// layers is every layer, in the order of results.
var layers = [...]Layer{LayerIdentity, LayerBoundary, LayerSession, LayerSCP, LayerVPCEndpoint, LayerResource, LayerRCP, LayerPublicAccess}

// Validate checks what Evaluate needs to understand a request. Evaluate denies
// a scenario that is not valid.
func (sc *Scenario) Validate() error {
	r := parseRequest(&sc.Request)
	if err := r.check(); err != nil {
		return err
	}
	for _, l := range sc.NotSupplied {
		if !slices.Contains(layers[:], l) {
			return fmt.Errorf("not_supplied: unknown layer %q; known are %v", l, layers)
		}
	}
	return sc.Policies.check()
}

func (p *PolicySet) check() error {
	lists := []struct {
		layer    Layer
		policies []NamedPolicy
	}{{LayerIdentity, p.Identity}, {LayerBoundary, p.Boundary}, {LayerSession, p.Session}, {LayerVPCEndpoint, p.VPCEndpoint}}
	for _, l := range p.ServiceControl {
		lists = append(lists, struct {
			layer    Layer
			policies []NamedPolicy
		}{LayerSCP, l.Policies})
	}
	for _, l := range p.ResourceControl {
		lists = append(lists, struct {
			layer    Layer
			policies []NamedPolicy
		}{LayerRCP, l.Policies})
	}
	for _, l := range lists {
		for i := range l.policies {
			if l.policies[i].Policy == nil {
				return fmt.Errorf(
					"%s[%d] %q: the policy is missing; leave the entry out or list the layer under not_supplied",
					l.layer,
					i,
					l.policies[i].Name,
				)
			}
		}
	}
	return nil
}

func parseRequest(r *Request) parsedRequest {
	p := parsedRequest{Request: r, caller: parseCaller(r), actionLower: strings.ToLower(r.Action)}
	p.service, _, _ = strings.Cut(p.actionLower, ":")
	p.anyResource = r.Resource == "*" || r.Resource == ""
	if !p.anyResource {
		p.arn, _ = awsarn.Split(r.Resource)
	}
	switch {
	case r.ResourceAccount != "":
		p.resourceAccount = r.ResourceAccount
	case p.arn.Account != "":
		p.resourceAccount = p.arn.Account
	default:
		for k, v := range r.Context {
			if len(v) == 1 && awsarn.IsAccount(v[0]) && (strings.EqualFold(k, "aws:ResourceAccount") || strings.EqualFold(k, "s3:ResourceAccount")) {
				p.resourceAccount = v[0]
			}
		}
		if p.resourceAccount == "" {
			p.resourceAccount, p.accountGuessed = p.caller.account, true
		}
	}
	p.sameAccount = p.caller.account != "" && p.caller.account == p.resourceAccount
	return p
}

func (r *parsedRequest) check() error {
	service, name, _ := strings.Cut(r.Action, ":")
	switch {
	case r.caller.kind == callerInvalid:
		return fmt.Errorf(
			"principal %q: want the ARN of a user, role, role session, root user or identity provider, a service such as s3.amazonaws.com, "+
				"or \"*\"; a role_arn has to be that of the session",
			r.Principal,
		)
	case service == "" || name == "" || strings.ContainsAny(r.Action, "*? \t\n"):
		return fmt.Errorf("action %q: want one action such as s3:PutObject", r.Action)
	case r.ResourceAccount != "" && !awsarn.IsAccount(r.ResourceAccount):
		return fmt.Errorf("resource_account %q: want 12 digits", r.ResourceAccount)
	case r.anyResource:
		return nil
	case r.arn.Partition == "" || r.arn.Service == "" || r.arn.Resource == "":
		return fmt.Errorf("resource %q: want an ARN, or \"*\" for an action without one", r.Resource)
	case !knownPartition(r.arn.Partition):
		return fmt.Errorf("resource %q: unknown partition %q", r.Resource, r.arn.Partition)
	}
	return nil
}
