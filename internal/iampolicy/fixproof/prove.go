package fixproof

import (
	"fmt"
	"slices"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// Proof is the result of Prove.
type Proof struct {
	// Decision is the engine's answer to the request after the change.
	Decision iampolicy.Decision `json:"decision"`
	// Allows reports that the request is allowed after the change. Layers that were
	// not supplied are assumed to allow it.
	Allows bool `json:"allows"`
	// Effects are the probes whose answer the change alters; empty for a safe change.
	Effects []Effect `json:"effects,omitempty"`
	// Probes counts the requests that were compared.
	Probes int `json:"probes"`
}

// Safe reports whether the change may be offered as a fix.
func (p Proof) Safe() bool { return p.Allows && len(p.Effects) == 0 }

// Effect is one probe whose answer changes.
type Effect struct {
	// Probe describes the request: "another role of account 111122223333".
	Probe   string             `json:"probe"`
	Request iampolicy.Request  `json:"request"`
	Before  iampolicy.Decision `json:"before"`
	After   iampolicy.Decision `json:"after"`
}

// Opens reports whether the change lets the probe through; otherwise it locks it out.
func (e Effect) Opens() bool { return rank(e.After) > rank(e.Before) }

// String describes the effect in one clause.
func (e Effect) String() string {
	if e.Opens() {
		return fmt.Sprintf("%s would no longer be denied", e.Probe)
	}
	return fmt.Sprintf("%s would no longer be allowed", e.Probe)
}

// rank orders decisions: denied, unknown, allowed.
func rank(d iampolicy.Decision) int {
	switch d {
	case iampolicy.Allowed:
		return 2
	case iampolicy.Unknown:
		return 1
	default:
		return 0
	}
}

// Prove compares two scenarios: the same request, before and after a change of
// the policies around it. A fix may also change the request; the probes then
// derive from the request of after.
func Prove(before, after iampolicy.Scenario) Proof {
	p := Proof{Decision: decide(after)}
	p.Allows = p.Decision == iampolicy.Allowed
	if p.Decision == iampolicy.Unknown {
		p.Allows = decide(assumeOpen(after)) == iampolicy.Allowed
	}
	j := judge{before: before, after: after, proof: &p}
	if j.unchanged() {
		return p
	}
	j.words = harvest(before.Policies, after.Policies)
	j.strangers()
	j.own()
	return p
}

// assumeOpen replaces the layers that were not supplied by ones that allow everything.
func assumeOpen(sc iampolicy.Scenario) iampolicy.Scenario {
	for _, l := range sc.NotSupplied {
		switch l {
		case iampolicy.LayerIdentity:
			sc.Policies.Identity = append(slices.Clone(sc.Policies.Identity), openPolicies()...)
		case iampolicy.LayerResource:
			if doc, err := iampolicy.Parse([]byte(openResourcePolicy)); err == nil && sc.Policies.Resource == nil {
				sc.Policies.Resource = doc
			}
		case iampolicy.LayerBoundary,
			iampolicy.LayerSession,
			iampolicy.LayerSCP,
			iampolicy.LayerRCP,
			iampolicy.LayerVPCEndpoint,
			iampolicy.LayerPublicAccess:
		}
	}
	sc.NotSupplied = nil
	return sc
}

func decide(sc iampolicy.Scenario) iampolicy.Decision { return iampolicy.Evaluate(sc).Decision }

// judge runs the probes of one proof.
type judge struct {
	before, after iampolicy.Scenario
	words         *vocabulary
	proof         *Proof
}

// unchanged reports whether only the request changes: then no other caller is affected.
func (j *judge) unchanged() bool {
	b, a := j.before.PublicAccessBlock, j.after.PublicAccessBlock
	return texts(j.before.Policies) == texts(j.after.Policies) && (b == nil && a == nil || b != nil && a != nil && *b == *a)
}

// maxEffects bounds the list of effects; one is enough to refuse a fix.
const maxEffects = 24

// enough reports whether more probes would add nothing to the proof.
func (j *judge) enough() bool { return len(j.proof.Effects) >= maxEffects }

// compare decides a probe before and after the change. tolerated says which
// openings are part of the fix.
func (j *judge) compare(name string, before, after iampolicy.Scenario, tolerated func(before iampolicy.Result) bool) {
	if j.enough() {
		return
	}
	j.proof.Probes++
	result := iampolicy.Evaluate(before)
	b, a := result.Decision, decide(after)
	if rank(b) == rank(a) {
		return
	}
	e := Effect{Probe: name, Request: after.Request, Before: b, After: a}
	if e.Opens() && tolerated != nil && tolerated(result) {
		return
	}
	for _, known := range j.proof.Effects {
		if known.Probe == e.Probe {
			return
		}
	}
	j.proof.Effects = append(j.proof.Effects, e)
}
