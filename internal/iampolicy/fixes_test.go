package iampolicy_test

import (
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/fixproof"
)

// onlyAdvice are the cases for which no fix is safe, with the reason.
var onlyAdvice = map[string]string{
	"root cannot assume roles":                  "the API refuses root users",
	"service not named":                         "the request has no source: every account's service would be let in",
	"anonymous and account":                     "a statement for an anonymous caller is for everyone",
	"anonymous and no policy":                   "a statement for an anonymous caller is for everyone",
	"anonymous, identity policies do not count": "a statement for an anonymous caller is for everyone",
	"public statement, anonymous":               "turning the block off is for everyone",
	"provider's token for another audience":     "the token has no subject: every token of the provider would be let in",
}

func denied(d iampolicy.Decision) bool {
	return d == iampolicy.ImplicitDeny || d == iampolicy.ExplicitDeny
}

// TestFixesMakeItAllowed applies the fixes of every denied case of TestLayers.
func TestFixesMakeItAllowed(t *testing.T) {
	for _, c := range iampolicy.LayerCases(t) {
		if !denied(c.Want) {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			r := fixproof.Propose(c.Scenario, iampolicy.Evaluate(c.Scenario))
			if why, ok := onlyAdvice[c.Name]; ok {
				if len(r.Fixes) != 0 || len(r.Advice) == 0 {
					t.Fatalf("%s: want advice and no fix, got %+v, %+v", why, r.Fixes, r.Advice)
				}
				return
			}
			if len(r.Fixes) == 0 {
				t.Fatalf("no fix; advice %+v", r.Advice)
			}
			fixed, err := iampolicy.Apply(c.Scenario, r.Fixes)
			if err != nil {
				t.Fatal(err)
			}
			again := iampolicy.Evaluate(fixed)
			if again.Decision != iampolicy.Allowed && (len(c.Scenario.NotSupplied) == 0 || again.Decision != iampolicy.Unknown) {
				t.Errorf("after %+v: %s by %v", r.Fixes, again.Decision, again.BlockedBy)
			}
			if first := iampolicy.Evaluate(c.Scenario); first.Decision != r.Decision {
				t.Error("applying fixes changed the original scenario")
			}
			if iampolicy.AccessDeniedText(c.Scenario, r) == "" {
				t.Error("no text for a denial")
			}
		})
	}
}

func TestFixesPreferTheRequest(t *testing.T) {
	for _, name := range []string{"external id missing", "external id wrong", "encryption header missing", "plain HTTP", "public ACL"} {
		cases := iampolicy.LayerCases(t)
		i := slices.IndexFunc(cases, func(c iampolicy.LayerCase) bool { return c.Name == name })
		r := fixproof.Propose(cases[i].Scenario, iampolicy.Evaluate(cases[i].Scenario))
		if len(r.Fixes) != 1 || r.Fixes[0].Kind != iampolicy.ChangeRequest {
			t.Errorf("%s: got %+v, want one change of the request", name, r.Fixes)
		}
	}
}
