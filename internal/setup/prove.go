package setup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// The values of Case.Want.
const (
	wantAllowed = "allowed"
	wantDenied  = "denied"
)

// prover asks the policy engine about the documents as they will be.
type prover struct {
	state State
	snap  *Snapshot
	plan  *Plan
	d     Delivery
	out   []Case
}

func prove(state State, snap *Snapshot, plan *Plan, destinations []string) []Case {
	out := []Case{}
	for _, d := range state.Deliveries {
		if len(destinations) > 0 && !slices.Contains(destinations, d.Destination.Name) {
			continue
		}
		p := &prover{state: state, snap: snap, plan: plan, d: d}
		p.assuming()
		p.uploading()
		out = append(out, p.out...)
	}
	return out
}

// stored is a document as it will be, and the assumption about it.
// A nil doc of a known document means that there is none.
type stored struct {
	doc        *iampolicy.Document
	known      bool
	assumption string
}

// after is a document as it will be after apply.
func (p *prover) after(kind Kind, arn string, current Part[string]) stored {
	text, s := current.Value, stored{known: current.Presence != Unread}
	if c := p.plan.Change(kind, arn); c != nil {
		switch c.Op {
		case OpUnknown:
			s.known = current.Presence != Unread
		case OpHandOver:
			text, s.known = c.After, true
			s.assumption = fmt.Sprintf(
				"account %s applies the handed-over statements, and no other part of its %s denies the request",
				c.Account,
				kind,
			)
		default:
			text, s.known = c.After, true
		}
	}
	if text == "" {
		return s
	}
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		return stored{assumption: err.Error()}
	}
	s.doc = doc
	return s
}

// callerPolicies are the policies of a role as they will be.
func (p *prover) callerPolicies(arn string) (set iampolicy.PolicySet, missing []iampolicy.Layer, assumptions []string) {
	at, ok := p.snap.Identities[arn]
	if !ok {
		at = &Identity{ARN: arn}
	}
	inline := p.after(KindIdentity, arn, inlineOf(at))
	_, reached := p.snap.Callers[awsarn.Account(arn)]
	handedOver := !reached && inline.known
	if inline.assumption != "" {
		assumptions = append(assumptions, inline.assumption)
	}
	if !handedOver && (!inline.known || at.Inline.Presence == Unread || at.Attached.Presence == Unread) {
		missing = append(missing, iampolicy.LayerIdentity)
	}
	if inline.doc != nil {
		set.Identity = append(set.Identity, iampolicy.NamedPolicy{Name: InlineName, Policy: inline.doc})
	}
	for _, d := range append(slices.Clone(at.Inline.Value), at.Attached.Value...) {
		if d.Name == InlineName && d.ARN == "" {
			continue
		}
		if doc, err := iampolicy.Parse([]byte(d.Text)); err == nil {
			set.Identity = append(set.Identity, iampolicy.NamedPolicy{Name: d.Name, Policy: doc})
		}
	}
	boundary := at.Boundary
	for _, r := range p.state.Roles {
		if r.ARN == arn && r.Boundary != "" && r.Boundary != boundary.Value.ARN {
			boundary = p.snap.Policies[r.Boundary]
		}
	}
	switch {
	case boundary.Is():
		doc, err := iampolicy.Parse([]byte(boundary.Value.Text))
		if err != nil {
			missing = append(missing, iampolicy.LayerBoundary)
			break
		}
		set.Boundary = []iampolicy.NamedPolicy{{Name: boundary.Value.Name, Policy: doc}}
	case boundary.Presence == Unread && !handedOver:
		missing = append(missing, iampolicy.LayerBoundary)
	}
	return set, missing, assumptions
}

// decide records the engine's answer to all scenarios: allowed when all are,
// denied when one is.
func (p *prover) decide(name, want string, assumptions []string, scenarios ...iampolicy.Scenario) {
	c := Case{Destination: p.d.Destination.Name, Name: name, Want: want, Assumptions: assumptions}
	denied, unknown := "", ""
	for _, sc := range scenarios {
		r := iampolicy.Evaluate(sc)
		for _, a := range r.Assumptions {
			if strings.Contains(a, "has no permissions boundary") && p.bounded(sc.Request.RoleARN) {
				continue // that was read, not assumed
			}
			c.Assumptions = with(c.Assumptions, a)
		}
		switch r.Decision {
		case iampolicy.Allowed:
		case iampolicy.Unknown:
			unknown = orText(unknown, sc.Request.Action+" depends on "+layersOf(sc.NotSupplied)+", which could not be read")
		default:
			denied = orText(denied, fmt.Sprintf("%s is refused by the %s policy", sc.Request.Action, r.RootCause))
		}
	}
	switch {
	case denied != "":
		c.Verdict, c.Why = verdictOf(want == wantDenied), denied
	case unknown != "":
		c.Verdict, c.Why = Unclear, unknown
	default:
		c.Verdict, c.Why = verdictOf(want == wantAllowed), "every policy that takes part allows it"
	}
	p.out = append(p.out, c)
}

// bounded reports whether the boundary of a role, or that there is none, is known.
func (p *prover) bounded(role string) bool {
	at, ok := p.snap.Identities[role]
	return ok && (at.Boundary.Presence != Unread || at.Info.Presence == Absent)
}

func verdictOf(holds bool) Verdict {
	if holds {
		return Holds
	}
	return Fails
}

func layersOf(layers []iampolicy.Layer) string {
	if len(layers) == 0 {
		return "a policy"
	}
	names := make([]string, len(layers))
	for i, l := range layers {
		names[i] = string(l)
	}
	return "the " + strings.Join(names, " and ") + " policies"
}
