package iampolicy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// randomStatement draws from few values, so that statements often matter.
func randomStatement(r *rand.Rand, effect string, principal bool) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	out := `{"Effect":"` + effect + `"`
	if principal {
		out += `,"Principal":` + pick(`"*"`, aws(accountA), aws(roleA), aws(sessionA), aws("999999999999"))
	}
	out += `,` + pick(`"Action"`, `"NotAction"`) + `:` + pick(`"s3:PutObject"`, `"s3:*"`, `"*"`, `"kms:*"`, `["s3:GetObject","s3:Put*"]`)
	out += `,` + pick(`"Resource"`, `"Resource"`, `"NotResource"`) + `:` +
		pick(`"*"`, `"arn:aws:s3:::bucket/*"`, `"arn:aws:s3:::bucket/logs/?"`, `"arn:aws:s3:::other/*"`, `"arn:aws:s3:::bucket/${aws:k}/*"`)
	if r.IntN(2) == 0 {
		out += `,"Condition":{"` + pick("", "", "ForAnyValue:", "ForAllValues:") +
			pick("StringEquals", "StringNotEquals", "StringLike", "StringEqualsIfExists") + `":{"aws:k":` +
			pick(`"logs"`, `["a","logs"]`, `"*"`) + `}}`
	}
	return out + `}`
}

type randomPolicies struct {
	identity, resource []string
	boundary           []string
	sameAccount        bool
	context            map[string][]string
}

func randomCase(r *rand.Rand) randomPolicies {
	p := randomPolicies{sameAccount: r.IntN(2) == 0, context: map[string][]string{}}
	statements := func(n int, principal bool) (out []string) {
		for range r.IntN(n) {
			effect := "Allow"
			if r.IntN(4) == 0 {
				effect = "Deny"
			}
			out = append(out, randomStatement(r, effect, principal))
		}
		return out
	}
	p.identity, p.resource = statements(4, false), statements(4, true)
	if r.IntN(3) == 0 {
		p.boundary = append(statements(3, false), allowS3)
	}
	switch r.IntN(3) {
	case 0:
		p.context["aws:k"] = []string{"logs"}
	case 1:
		p.context["aws:k"] = []string{"a", "b"}
	}
	return p
}

func (p randomPolicies) decide(t testing.TB) Decision {
	t.Helper()
	sc := Scenario{Request: Request{Principal: sessionA, Action: "s3:PutObject", Resource: object, ResourceAccount: accountB,
		Context: p.context},
		Policies: PolicySet{Identity: ident(t, strings.Join(p.identity, ",")), Resource: mustParse(t, policy12(strings.Join(p.resource, ",")))}}
	if p.sameAccount {
		sc.Request.ResourceAccount = accountA
	}
	if p.boundary != nil {
		sc.Policies.Boundary = ident(t, strings.Join(p.boundary, ","))
	}
	r := Evaluate(sc)
	if r.Decision == ImplicitDeny || r.Decision == ExplicitDeny {
		candidates := Candidates(sc)
		if len(candidates) == 0 {
			t.Errorf("%+v: no candidate", p)
		}
		for _, fixes := range candidates {
			fixed, err := Apply(sc, fixes)
			if err != nil {
				t.Fatal(err)
			}
			if again := Evaluate(fixed); again.Decision != Allowed {
				t.Errorf("%+v: fixes %+v lead to %s", p, fixes, again.Decision)
			}
		}
	}
	return r.Decision
}

// TestMonotony: an Allow more never takes access away, a Deny more never gives
// it, and the order of statements does not matter.
func TestMonotony(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[Decision]int{}
	for range 3000 {
		p := randomCase(r)
		before := p.decide(t)
		seen[before]++
		more := p
		more.identity = append([]string{randomStatement(r, "Allow", false)}, p.identity...)
		more.resource = append([]string{randomStatement(r, "Allow", true)}, p.resource...)
		if after := more.decide(t); before == Allowed && after != Allowed {
			t.Fatalf("an Allow more: %s to %s: %+v", before, after, more)
		}
		less := p
		less.identity = append([]string{randomStatement(r, "Deny", false)}, p.identity...)
		less.resource = append([]string{randomStatement(r, "Deny", true)}, p.resource...)
		if after := less.decide(t); before != Allowed && after == Allowed {
			t.Fatalf("a Deny more: %s to %s: %+v", before, after, less)
		}
		shuffled := p
		shuffled.identity = append([]string(nil), p.identity...)
		shuffled.resource = append([]string(nil), p.resource...)
		r.Shuffle(len(shuffled.identity), func(i, j int) {
			shuffled.identity[i], shuffled.identity[j] = shuffled.identity[j], shuffled.identity[i]
		})
		r.Shuffle(len(shuffled.resource), func(i, j int) {
			shuffled.resource[i], shuffled.resource[j] = shuffled.resource[j], shuffled.resource[i]
		})
		if after := shuffled.decide(t); after != before {
			t.Fatalf("another order: %s to %s: %+v", before, after, p)
		}
	}
	for _, d := range []Decision{Allowed, ImplicitDeny, ExplicitDeny} {
		if seen[d] < 100 {
			t.Errorf("only %d cases were %s: the generator proves little", seen[d], d)
		}
	}
}

// TestNotActionIsTheComplement: Action and NotAction of one list divide all requests.
func TestNotActionIsTheComplement(t *testing.T) {
	lists := []string{`"s3:*"`, `"*"`, `["s3:Put*","kms:*"]`, `" s3:PutObject"`, `[]`, `"s3:P?tObject"`}
	for _, list := range lists {
		for _, action := range []string{"s3:PutObject", "kms:Decrypt", "iam:GetRole"} {
			decide := func(element string) bool {
				r := Evaluate(Scenario{Request: Request{Principal: sessionA, Action: action, Resource: "*"},
					Policies: PolicySet{Identity: ident(t, fmt.Sprintf(`{"Effect":"Allow",%q:%s,"Resource":"*"}`, element, list))}})
				return r.Decision == Allowed
			}
			if decide("Action") == decide("NotAction") {
				t.Errorf("%s with %s: both or neither match", list, action)
			}
		}
	}
}
