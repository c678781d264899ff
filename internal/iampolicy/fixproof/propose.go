package fixproof

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// Propose fills in the fixes of a result: the first candidate that Prove accepts.
// When there is none, the result has no fix and carries advice instead.
func Propose(sc iampolicy.Scenario, r iampolicy.Result) iampolicy.Result {
	r.Fixes, r.Advice = []iampolicy.Fix{}, nil
	if r.Decision != iampolicy.ImplicitDeny && r.Decision != iampolicy.ExplicitDeny {
		return r
	}
	var refused []Effect
	candidates := iampolicy.Candidates(sc)
	for i, fixes := range candidates {
		after, err := iampolicy.Apply(sc, fixes)
		if err != nil {
			continue
		}
		proof := Prove(sc, after)
		if proof.Safe() {
			r.Fixes = fixes
			return r
		}
		if i == 0 {
			refused = proof.Effects
		}
	}
	r.Advice = advice(sc, r, candidates, refused)
	return r
}

// maxUncertain bounds the effects that one piece of advice lists.
const maxUncertain = 3

// advice describes the steps of the best candidate, and why it is not offered as a
// fix. Without a candidate it names the layers that stand in the way.
func advice(sc iampolicy.Scenario, r iampolicy.Result, candidates [][]iampolicy.Fix, refused []Effect) []iampolicy.Advice {
	var uncertain []string
	for i, e := range refused {
		if i == maxUncertain {
			uncertain = append(uncertain, fmt.Sprintf("and %d more", len(refused)-maxUncertain))
			break
		}
		uncertain = append(uncertain, e.String())
	}
	if len(candidates) == 0 {
		out := make([]iampolicy.Advice, 0, len(r.BlockedBy))
		for _, l := range r.BlockedBy {
			out = append(out, iampolicy.Advice{Layer: l, Account: accountOf(r, l), Text: withoutCandidate(sc, l)})
		}
		return out
	}
	var out []iampolicy.Advice
	for _, f := range candidates[0] {
		out = append(out, iampolicy.Advice{Layer: f.Layer, Account: f.Account, Target: f.Target, Text: describe(f), Uncertain: uncertain})
	}
	return out
}

func accountOf(r iampolicy.Result, l iampolicy.Layer) string {
	for i := range r.Layers {
		if r.Layers[i].Layer == l {
			return r.Layers[i].Account
		}
	}
	return ""
}

// withoutCandidate gives the reason why no narrow change exists.
func withoutCandidate(sc iampolicy.Scenario, l iampolicy.Layer) string {
	layer := strings.ReplaceAll(string(l), "_", " ")
	switch {
	case iampolicy.NeverAllowed(sc.Request) != "":
		return iampolicy.NeverAllowed(sc.Request)
	case sc.Request.Principal == "*":
		return "the " + layer + " policy does not let an anonymous caller in; a statement that did would open the resource to everyone, " +
			"so none is proposed"
	case isService(sc.Request.Principal):
		return "the request does not say for which resource and account the service calls; without aws:SourceArn or aws:SourceAccount a " +
			"statement would open the resource to the service on behalf of every account"
	}
	return "no change of the " + layer + " policy lets this request through and nothing else; its administrator has to decide"
}

// describe puts a fix into words.
func describe(f iampolicy.Fix) string {
	statement := fmt.Sprintf("statement %d", f.Index+1)
	if f.Sid != "" {
		statement = fmt.Sprintf("statement %q", f.Sid)
	}
	switch f.Kind {
	case iampolicy.ReplaceStatement:
		return statement + " denies the request: narrow it so that it no longer denies this caller"
	case iampolicy.RemoveStatement:
		return statement + " stands in the way: remove it, or narrow it"
	case iampolicy.ChangeRequest:
		return "change the request: " + f.Why
	case iampolicy.AddStatement, iampolicy.ChangeSetting:
	}
	return f.Why + ": add a statement for this caller"
}
