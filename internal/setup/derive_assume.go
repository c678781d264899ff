package setup

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// assume derives who assumes whom on the way to a destination's role.
//
// A caller of the role's own account needs no statement of its own: the trust
// policy names it, and inside one account that is enough
// (IAM User Guide, reference_policies_evaluation-logic). Across accounts both
// sides have to allow.
func (b *builder) assume(p part) error {
	d, as := p.dest, p.setup.RunsAs
	// Tags that a session passes to the next roles. EKS Pod Identity tags its
	// sessions, and the tags are transitive.
	tagged := as.Type == config.RunsPodIdentity
	hops := append(
		append([]config.Hop(nil), d.Chain...),
		config.Hop{
			Role:           d.Role,
			ExternalID:     d.Session.ExternalID,
			Tags:           d.Session.Tags,
			TransitiveTags: d.Session.TransitiveTags,
			Duration:       d.Session.Duration,
		},
	)
	caller := as.Principal
	for i, h := range hops {
		last := i == len(hops)-1
		r, err := b.role(h.Role, d.Name)
		if err != nil {
			return err
		}
		r.depth = max(r.depth, i)
		if err := r.bound(p.setup.Boundary); err != nil {
			return err
		}
		// A role that was assumed by a role lasts an hour, whatever its maximum.
		if i == 0 && (as.Type == config.RunsWebIdentity || as.Type == config.RunsUser || as == (config.RunsAs{})) {
			r.MaxSession = max(r.MaxSession, h.Duration.Std())
		}
		actions := policytext.StringList{"sts:AssumeRole"}
		if tagged || len(h.Tags) > 0 || (last && len(d.Session.Peer.Tags) > 0) {
			actions = append(actions, "sts:TagSession")
		}
		// The first role sets it and the others inherit it. Whether they have to allow
		// it as well is not verified on real AWS; they do no harm by it.
		if d.Session.SourceIdentity != "" || (last && d.Session.Peer.SourceIdentity != "") {
			actions = append(actions, "sts:SetSourceIdentity")
		}
		tagged = tagged || len(h.TransitiveTags) > 0
		if i == 0 && as.Type == config.RunsWebIdentity {
			r.trust.add(webIdentityTrust(as), p.sid)
			b.source(as.Type, as.Provider, d.Name)
			caller = h.Role
			continue
		}
		if caller != "" {
			r.trust.add(trustStatement(caller, actions, h.ExternalID), p.sid)
			grant := statementGroup{}
			if awsarn.Account(caller) != r.Account {
				grant.made = []Statement{{Effect: "Allow", Action: actions, Resource: policytext.StringList{h.Role}}}
			}
			if i == 0 {
				src := b.source(as.Type, caller, d.Name)
				addAll(&src.assume, grant, p.sid)
			} else {
				addAll(&b.roles[caller].assume, grant, p.sid)
			}
		}
		caller = h.Role
	}
	return nil
}

func addAll(into *statementGroup, from statementGroup, sid string) {
	for _, s := range from.made {
		into.add(s, sid)
	}
}

func (r *roleParts) bound(boundary string) error {
	if boundary == "" || (awsarn.Account(boundary) != r.Account && awsarn.Account(boundary) != "aws") {
		return nil // roles of a chain in other accounts have boundaries of their own
	}
	if r.Boundary != "" && r.Boundary != boundary {
		return fmt.Errorf("role %s has the boundary %s for one destination and %s for another; a role has one", r.ARN, r.Boundary, boundary)
	}
	r.Boundary = boundary
	return nil
}

func (b *builder) source(kind, arn, destination string) *sourceParts {
	s, ok := b.sources[arn]
	if !ok {
		s = &sourceParts{
			Source: Source{Type: kind, ARN: arn, Account: awsarn.Account(arn)},
			assume: statementGroup{base: SidNextRole, merged: "Resource"},
		}
		b.sources[arn] = s
	}
	s.Destinations = with(s.Destinations, destination)
	return s
}

func trustStatement(caller string, actions policytext.StringList, external string) Statement {
	s := Statement{Effect: "Allow", Principal: map[string]policytext.StringList{"AWS": {caller}}, Action: actions}
	if external != "" {
		s.Condition = map[string]map[string]policytext.StringList{"StringEquals": {"sts:ExternalId": {external}}}
	}
	return s
}

// webIdentityTrust lets one service account in. Without both conditions every
// token of the provider would do.
func webIdentityTrust(as config.RunsAs) Statement {
	_, issuer, _ := strings.Cut(as.Provider, ":oidc-provider/")
	return Statement{
		Effect: "Allow", Principal: map[string]policytext.StringList{"Federated": {as.Provider}},
		Action:    policytext.StringList{"sts:AssumeRoleWithWebIdentity"},
		Condition: map[string]map[string]policytext.StringList{"StringEquals": {issuer + ":aud": {as.Audience}, issuer + ":sub": {as.Subject}}},
	}
}
