package setup

import (
	"fmt"
	"slices"
	"time"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// PlanOptions select the scope and the direction of a plan.
type PlanOptions struct {
	// Destinations limit the plan to the documents that they use; empty: all. In
	// documents that they share, the statements of other destinations stay.
	Destinations []string
	// Remove plans to take our statements of Destinations out, instead of adding them.
	Remove bool
}

// NewPlan compares a state with a snapshot of its whole scope.
func NewPlan(state State, snap *Snapshot, o PlanOptions) (*Plan, error) {
	want, err := state.of(func(d Delivery) bool {
		if len(o.Destinations) == 0 || slices.Contains(o.Destinations, d.Destination.Name) {
			return !o.Remove
		}
		return d.present(snap)
	})
	if err != nil {
		return nil, err
	}
	p := &planner{snap: snap, options: o, want: want, plan: &Plan{Remove: o.Remove}}
	for _, d := range state.Deliveries {
		p.own.deliveries = append(p.own.deliveries, d)
		if len(o.Destinations) == 0 || slices.Contains(o.Destinations, d.Destination.Name) {
			p.plan.Destinations = append(p.plan.Destinations, d.Destination.Name)
		}
		stays := slices.ContainsFunc(want.Deliveries, func(w Delivery) bool { return w.Sid == d.Sid })
		if named := len(o.Destinations) == 0 || slices.Contains(o.Destinations, d.Destination.Name); !stays && !named {
			p.apart = append(p.apart, d.Destination.Name)
		}
	}
	if err := p.changes(state); err != nil {
		return nil, err
	}
	for _, r := range state.Roles {
		created := p.identity(r.ARN).Info.Value.Created
		p.plan.NewRoles = p.plan.NewRoles || (!created.IsZero() && snap.Taken.Sub(created) < newFor)
	}
	if o.Remove {
		// What names a role goes before the role.
		slices.Reverse(p.plan.Changes)
	}
	p.warnings(state)
	if !o.Remove {
		p.plan.Proof = prove(state, snap, p.plan, o.Destinations)
	}
	return p.plan, nil
}

// newFor is longer than IAM takes to tell everybody of a role.
const newFor = 10 * time.Minute

// present reports whether a destination's statements are in the bucket policy, or
// may be: a document that was not read keeps all statements. A destination that
// has not been set up stays so while others that share its documents are planned.
func (d Delivery) present(snap *Snapshot) bool {
	b, ok := snap.Buckets[d.Destination.Bucket]
	if !ok || b.Policy.Presence == Unread {
		return true
	}
	if b.Policy.Value == "" {
		return false
	}
	t, err := policytext.ReadDocument(b.Policy.Value)
	if err != nil {
		return true
	}
	own := ownership{[]Delivery{d}}
	for i, s := range t.Statements() {
		if _, ours := own.claim(KindBucket, t, i); ours && !slices.Contains(shared, s.Sid) {
			return true
		}
		if isBrokerdSid(s.Sid) && policytext.ReadElements(t.Raw(i)).Has("Resource", d.Objects) {
			return true
		}
	}
	return false
}

// of is the part of a state that some of the destinations need.
func (s State) of(wanted func(Delivery) bool) (State, error) {
	b := newBuilder()
	for _, d := range s.Deliveries {
		if !wanted(d) {
			continue
		}
		if err := b.add(d.Destination, d.Setup); err != nil {
			return State{}, fmt.Errorf("destination %s: %w", d.Destination.Name, err)
		}
	}
	return b.state(), nil
}

type planner struct {
	snap    *Snapshot
	options PlanOptions
	want    State
	own     ownership
	apart   []string // destinations that are neither planned nor set up: what there is of them stays
	plan    *Plan
}

// concerned reports whether something of these destinations is planned.
func (p *planner) concerned(destinations []string) bool {
	return len(p.options.Destinations) == 0 ||
		slices.ContainsFunc(destinations, func(d string) bool { return slices.Contains(p.options.Destinations, d) })
}

func (p *planner) changes(state State) error {
	for i := range state.Roles {
		if p.concerned(state.Roles[i].Destinations) {
			if err := p.role(&state.Roles[i]); err != nil {
				return err
			}
		}
	}
	for i := range state.Sources {
		if p.concerned(state.Sources[i].Destinations) {
			if err := p.source(&state.Sources[i]); err != nil {
				return err
			}
		}
	}
	for i := range state.Buckets {
		if p.concerned(state.Buckets[i].Destinations) {
			p.bucketFirst(&state.Buckets[i])
		}
	}
	for i := range state.Keys {
		if p.concerned(state.Keys[i].Destinations) {
			if err := p.key(&state.Keys[i]); err != nil {
				return err
			}
		}
	}
	for i := range state.Buckets {
		if p.concerned(state.Buckets[i].Destinations) {
			if err := p.bucketThen(&state.Buckets[i]); err != nil {
				return err
			}
		}
	}
	for i := range state.Trails {
		if p.concerned(state.Trails[i].Destinations) {
			p.trail(&state.Trails[i])
		}
	}
	return nil
}

func (p *planner) add(c Change) {
	if _, reached := p.snap.Callers[c.Account]; !reached {
		if !slices.Contains(p.plan.Unreached, c.Account) {
			p.plan.Unreached = append(p.plan.Unreached, c.Account)
		}
	}
	p.plan.Changes = append(p.plan.Changes, c)
}

// policy plans a document. handOver is what an administrator who is not here has to see to.
func (p *planner) policy(c Change, current Part[string], want Policy) error {
	if _, reached := p.snap.Callers[c.Account]; !reached {
		if want.Empty() && !p.options.Remove {
			return nil
		}
		c.Op = OpHandOver
		if !want.Empty() {
			out, err := want.JSON()
			if err != nil {
				return err
			}
			c.After = string(out)
			for _, s := range want.Statement {
				c.Statements = append(c.Statements, addition(s))
			}
		}
		p.add(c)
		return nil
	}
	if current.Presence == Unread {
		c.Op, c.Reason = OpUnknown, orText(current.Reason, "it was not read")
		p.add(c)
		return nil
	}
	e, err := planPolicy(c.Kind, current.Value, want, p.own)
	if err != nil {
		c.Op, c.Reason, c.Before = OpUnknown, err.Error(), current.Value
		p.add(c)
		return nil
	}
	if e.op == OpKeep && current.Value == "" {
		return nil // none is there, and none is wanted
	}
	c.Op, c.Before, c.After, c.Statements, c.Reason = e.op, current.Value, e.after, e.statements, e.reason
	p.add(c)
	return nil
}

func (p *planner) role(r *Role) error {
	at := p.identity(r.ARN)
	want := Role{}
	for _, w := range p.want.Roles {
		if w.ARN == r.ARN {
			want = w
		}
	}
	base := Change{Account: r.Account, ARN: r.ARN, Destinations: r.Destinations, role: r}
	trust, inline := base, base
	trust.Kind, inline.Kind = KindTrust, KindIdentity
	if p.options.Remove && at.Info.Presence == Absent {
		return nil
	}
	if p.options.Remove && want.Trust.Empty() && at.Info.Is() {
		return p.removeRole(base, at)
	}
	if err := p.policy(trust, at.Trust, want.Trust); err != nil {
		return err
	}
	if at.Info.Is() && !p.options.Remove {
		p.roleSettings(base, r, at)
	}
	return p.policy(inline, inlineOf(at), want.Inline)
}

// roleSettings are for a role that is there; a new one is made with them.
func (p *planner) roleSettings(base Change, r *Role, at *Identity) {
	if r.Boundary != "" && at.Boundary.Value.ARN != r.Boundary {
		c := base
		c.Kind, c.Op, c.Before, c.After = KindBoundary, OpUpdate, at.Boundary.Value.ARN, r.Boundary
		switch at.Boundary.Presence {
		case Absent:
			c.Op = OpCreate
		case Unread:
			c.Op, c.Reason = OpUnknown, at.Boundary.Reason
		case Known:
		}
		p.add(c)
	}
	if is := at.Info.Value.MaxSession; is < r.MaxSession {
		c := base
		c.Kind, c.Op, c.Before, c.After = KindMaxSession, OpUpdate, compact(is/time.Second), compact(r.MaxSession/time.Second)
		p.add(c)
	}
}

// removeRole takes our statements out, and the role itself when setup made it and
// it holds nothing else. IAM keeps no role without a trust policy.
func (p *planner) removeRole(base Change, at *Identity) error {
	inline := base
	inline.Kind = KindIdentity
	trust, err := planPolicy(KindTrust, at.Trust.Value, Policy{}, p.own)
	if at.Trust.Presence == Unread || err != nil {
		c := base
		c.Kind, c.Op, c.Reason = KindTrust, OpUnknown, orText(at.Trust.Reason, "it was not read")
		p.add(c)
		return nil
	}
	c := base
	c.Kind, c.Before, c.Statements = KindTrust, at.Trust.Value, trust.statements
	switch {
	case trust.op != OpDelete:
		c.Op, c.After = trust.op, trust.after
		p.add(c)
	case !at.Info.Value.Made:
		c.Op, c.After = OpKeep, at.Trust.Value
		c.Reason = "setup did not make this role, and a role cannot be without a trust policy: delete the role by hand, " +
			"or add another principal to its trust policy first"
		p.add(c)
	case !onlyOurs(at):
		c.Op, c.After = OpKeep, at.Trust.Value
		c.Reason = "the role has other policies: it stays. Detach them, then run remove again"
		p.add(c)
	default:
		c.Kind, c.Op = KindRole, OpDelete
		p.add(c)
	}
	return p.policy(inline, inlineOf(at), Policy{})
}

func onlyOurs(at *Identity) bool {
	for _, d := range at.Inline.Value {
		if d.Name != InlineName {
			return false
		}
	}
	return at.Inline.Presence != Unread && at.Attached.Presence != Unread && len(at.Attached.Value) == 0
}

func (p *planner) source(s *Source) error {
	if s.Type == config.RunsWebIdentity {
		return nil // a token, not an identity of IAM
	}
	want := Policy{}
	for _, w := range p.want.Sources {
		if w.ARN == s.ARN {
			want = w.Inline
		}
	}
	at := p.identity(s.ARN)
	c := Change{Kind: KindIdentity, Account: s.Account, ARN: s.ARN, Destinations: s.Destinations}
	if at.Info.Presence == Absent {
		if want.Empty() {
			return nil // warned about
		}
		c.Op, c.Reason = OpUnknown, "it does not exist, and setup does not make the identity that the daemon runs as"
		p.add(c)
		return nil
	}
	if want.Empty() && !inlineOf(at).Is() {
		return nil
	}
	return p.policy(c, inlineOf(at), want)
}

// inlineOf is the inline policy that setup keeps.
func inlineOf(at *Identity) Part[string] {
	if at.Inline.Presence == Unread {
		return UnreadPart[string](at.Inline.Reason)
	}
	for _, d := range at.Inline.Value {
		if d.Name == InlineName {
			return KnownPart(d.Text)
		}
	}
	return AbsentPart[string]()
}

func (p *planner) identity(arn string) *Identity {
	if at, ok := p.snap.Identities[arn]; ok {
		return at
	}
	return &Identity{ARN: arn}
}

func (p *planner) key(k *Key) error {
	at, ok := p.snap.Keys[k.ARN]
	if !ok {
		at = &KeyAt{ARN: k.ARN}
	}
	want := Policy{}
	for _, w := range p.want.Keys {
		if w.ARN == k.ARN {
			want = w.Policy
		}
	}
	c := Change{Kind: KindKey, Account: k.Account, ARN: k.ARN, Destinations: k.Destinations}
	if at.Policy.Presence == Absent || at.Info.Presence == Absent {
		if p.options.Remove {
			return nil
		}
		c.Op, c.Reason = OpUnknown, "there is no such key. KMS chooses the ids of keys: make one, and write its ARN as kms_key"
		p.add(c)
		return nil
	}
	return p.policy(c, at.Policy, want)
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
