package fixproof

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// stranger is a request that a fix must not let through. These are written apart
// from the probes of Prove, so that a gap there shows.
type stranger struct {
	name string
	make func(sc iampolicy.Scenario) (iampolicy.Scenario, bool)
}

// without drops the keys that belong to the caller.
func without(context map[string][]string) map[string][]string {
	out := map[string][]string{}
	for k, v := range context {
		if lower := strings.ToLower(k); !strings.HasPrefix(lower, "aws:principal") && !strings.HasPrefix(lower, "saml:") &&
			!strings.HasPrefix(lower, "token.actions") && !strings.HasPrefix(lower, "aws:source") || lower == "aws:sourceip" ||
			lower == "aws:sourcevpce" {
			out[k] = v
		}
	}
	return out
}

func become(principal, role string, armed bool) func(iampolicy.Scenario) (iampolicy.Scenario, bool) {
	return func(sc iampolicy.Scenario) (iampolicy.Scenario, bool) {
		if sc.Request.Principal == principal || sc.Request.RoleARN == role && role != "" {
			return sc, false
		}
		sameAccount := strings.Contains(sc.Request.Principal, "::"+accountOfText(principal)+":")
		sc.Request.Context = without(sc.Request.Context)
		sc.Request.Principal, sc.Request.RoleARN = principal, role
		sc.Policies.Identity, sc.Policies.Boundary, sc.Policies.Session = nil, nil, nil
		if armed {
			sc.Policies.Identity = openPolicies()
		}
		if !sameAccount {
			sc.Policies.ServiceControl = nil
		}
		return sc, true
	}
}

func accountOfText(principal string) string {
	if parts := strings.Split(principal, ":"); len(parts) > 4 {
		return parts[4]
	}
	return ""
}

func alter(key string, values ...string) func(iampolicy.Scenario) (iampolicy.Scenario, bool) {
	return func(sc iampolicy.Scenario) (iampolicy.Scenario, bool) {
		old := ""
		context := map[string][]string{}
		for k, v := range sc.Request.Context {
			if strings.EqualFold(k, key) {
				old = strings.Join(v, ",")
				continue
			}
			context[k] = v
		}
		if len(values) > 0 {
			context[key] = values
		}
		sc.Request.Context = context
		return sc, old != strings.Join(values, ",")
	}
}

func all(steps ...func(iampolicy.Scenario) (iampolicy.Scenario, bool)) func(iampolicy.Scenario) (iampolicy.Scenario, bool) {
	return func(sc iampolicy.Scenario) (iampolicy.Scenario, bool) {
		changed := false
		for _, step := range steps {
			next, ok := step(sc)
			sc, changed = next, changed || ok
		}
		return sc, changed
	}
}

func strangersOf(sc iampolicy.Scenario, mentions func(string) bool) []stranger {
	r := sc.Request
	own := accountOfText(r.Principal)
	if own == "" {
		own = accountB
	}
	out := []stranger{
		{"role of the account, armed", become("arn:aws:sts::"+own+":assumed-role/nobody/x", "arn:aws:iam::"+own+":role/nobody", true)},
		{"role of the account, bare", become("arn:aws:sts::"+own+":assumed-role/nobody/x", "arn:aws:iam::"+own+":role/nobody", false)},
		{
			"role of the resource's account",
			become("arn:aws:sts::"+accountB+":assumed-role/nobody/x", "arn:aws:iam::"+accountB+":role/nobody", true),
		},
		{
			"writer of the resource's account",
			become("arn:aws:sts::"+accountB+":assumed-role/writer/x", "arn:aws:iam::"+accountB+":role/writer", true),
		},
		{"other role of account A", become("arn:aws:sts::"+accountA+":assumed-role/other/x", "arn:aws:iam::"+accountA+":role/other", true)},
		{"another account", become("arn:aws:sts::777788889999:assumed-role/app/x", "arn:aws:iam::777788889999:role/app", true)},
		{"user of account A", become("arn:aws:iam::"+accountA+":user/bob", "", true)},
		{
			"another account in the organization",
			all(become("arn:aws:sts::777788889999:assumed-role/app/x", "arn:aws:iam::777788889999:role/app", true),
				alter("aws:PrincipalOrgID", "o-a")),
		},
	}
	if strings.HasPrefix(r.Action, "s3:") {
		out = append(out, stranger{"anonymous", become("*", "", false)})
	}
	if strings.Contains(r.Principal, "-provider/") {
		prefix := "token.actions.githubusercontent.com"
		if strings.Contains(r.Principal, "saml") {
			prefix = "SAML"
		}
		out = append(out, stranger{"another subject", alter(prefix+":sub", "someone:else")}, stranger{"no subject", alter(prefix + ":sub")},
			stranger{"another audience", alter(prefix+":aud", "other-audience")},
			stranger{"another subject and audience", all(alter(prefix+":sub", "x"), alter(prefix+":aud", "y"))})
	}
	if strings.HasSuffix(r.Principal, ".amazonaws.com") {
		out = append(out,
			stranger{
				"the service for another account",
				all(alter("aws:SourceAccount", "777788889999"), alter("aws:SourceArn", "arn:aws:cloudtrail:eu-west-1:777788889999:trail/t1")),
			},
			stranger{"the service without a source", all(alter("aws:SourceAccount"), alter("aws:SourceArn"))})
	}
	if mentions("aws:SecureTransport") {
		out = append(out, stranger{"plain HTTP", alter("aws:SecureTransport", "false")})
	}
	if mentions("sts:ExternalId") && len(r.Context["sts:ExternalId"]) > 0 {
		out = append(out, stranger{"another external id", alter("sts:ExternalId", "id-x")}, stranger{"no external id", alter("sts:ExternalId")})
	}
	if mentions("aws:MultiFactorAuthPresent") && len(r.Context["aws:MultiFactorAuthPresent"]) > 0 &&
		r.Context["aws:MultiFactorAuthPresent"][0] == "true" {
		out = append(out, stranger{"no MFA", alter("aws:MultiFactorAuthPresent", "false")})
	}
	return out
}

type tally struct {
	denied, fixed, advised, requestOnly int
	opened, closed                      map[string]int
}

// TestFixesOpenNothing applies the proposed fixes of random scenarios: the request
// is allowed, no stranger is let in, and no other writer is locked out. The
// environment variable BROKERD_FIX_SCENARIOS raises the number of scenarios.
func TestFixesOpenNothing(t *testing.T) {
	n := 600
	if s := os.Getenv("BROKERD_FIX_SCENARIOS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	c := tally{opened: map[string]int{}, closed: map[string]int{}}
	for i := range n {
		g := generator{newRand(i)}
		c.try(t, i, g.scenario(t))
	}
	t.Logf("%d scenarios: %d denied, %d with fixes (%d change the request alone), %d with advice", n, c.denied, c.fixed,
		c.requestOnly, c.advised)
	for name, k := range c.opened {
		t.Errorf("%s: let in by %d fixes", name, k)
	}
	for name, k := range c.closed {
		t.Errorf("%s: locked out by %d fixes", name, k)
	}
	if c.fixed*3 < c.denied {
		t.Errorf("only %d of %d denials have a fix: the test proves little", c.fixed, c.denied)
	}
}

func (c *tally) try(t *testing.T, i int, sc iampolicy.Scenario) {
	t.Helper()
	r := Propose(sc, iampolicy.Evaluate(sc))
	if r.Decision != iampolicy.ImplicitDeny && r.Decision != iampolicy.ExplicitDeny {
		return
	}
	c.denied++
	if len(r.Fixes) == 0 {
		c.advised++
		if len(r.Advice) == 0 {
			t.Errorf("scenario %d: neither a fix nor advice: %s", i, show(sc))
		}
		return
	}
	c.fixed++
	after, err := iampolicy.Apply(sc, r.Fixes)
	if err != nil {
		t.Fatalf("scenario %d: %v", i, err)
	}
	if d := iampolicy.Evaluate(after).Decision; d != iampolicy.Allowed && (d != iampolicy.Unknown || len(sc.NotSupplied) == 0) {
		t.Errorf("scenario %d: with its fixes %s: %s", i, d, show(sc))
	}
	if texts(sc.Policies) == texts(after.Policies) {
		c.requestOnly++
		return
	}
	words := texts(sc.Policies)
	before := sc
	before.Request = after.Request
	for _, s := range strangersOf(before, func(key string) bool { return strings.Contains(words, key) }) {
		old, ok := s.make(before)
		next, _ := s.make(after)
		if !ok {
			continue
		}
		x, y := iampolicy.Evaluate(old).Decision, iampolicy.Evaluate(next).Decision
		switch {
		case rank(y) > rank(x):
			if c.opened[s.name]++; c.opened[s.name] < 3 {
				t.Logf("scenario %d: %s: %s to %s\n%s\nfixes %s", i, s.name, x, y, show(sc), jsonOf(r.Fixes))
			}
		case rank(y) < rank(x):
			if c.closed[s.name]++; c.closed[s.name] < 3 {
				t.Logf("scenario %d: %s: %s to %s\n%s\nfixes %s", i, s.name, x, y, show(sc), jsonOf(r.Fixes))
			}
		}
	}
}

func show(sc iampolicy.Scenario) string { return jsonOf(sc) }

func jsonOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(text)
}
