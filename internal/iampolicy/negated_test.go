package iampolicy

import (
	"slices"
	"strings"
	"testing"
)

func TestNegationsSayWhyTheElementFits(t *testing.T) {
	const sse = "s3:x-amz-server-side-encryption"
	deny := func(elements string) string {
		return `{"Effect":"Deny","Principal":"*",` + elements + `}`
	}
	for _, c := range []struct {
		name, statement string
		context         map[string][]string
		outcome         Outcome
		negated         bool // the statement failed on a negated element
		want            string
	}{
		{"another value matches", deny(`"Action":"s3:PutObject","Resource":"*","Condition":{"StringNotEquals":{"` + sse + `":"aws:kms"}}`),
			map[string][]string{sse: {"AES256"}}, Matched, false, "the request has AES256, which is not aws:kms, so the condition is true"},
		{"an absent key matches", deny(`"Action":"s3:PutObject","Resource":"*","Condition":{"StringNotEquals":{"` + sse + `":"aws:kms"}}`),
			nil, Matched, false, "a negated operator is true for an absent key"},
		{"the excluded value does not", deny(`"Action":"s3:PutObject","Resource":"*","Condition":{"StringNotEquals":{"` + sse + `":"aws:kms"}}`),
			map[string][]string{sse: {"aws:kms"}}, NotMatched, true,
			"the request has aws:kms, which the condition excludes (aws:kms), so the condition is false"},
		{"an action outside of NotAction", deny(`"NotAction":"s3:GetObject","Resource":"*"`), nil, Matched, false,
			"NotAction excludes s3:GetObject; the action s3:PutObject is none of them"},
		{"an action of NotAction", deny(`"NotAction":"s3:Put*","Resource":"*"`), nil, NotMatched, true,
			"NotAction excludes s3:Put*; the action s3:PutObject is one of them"},
		{"a resource of NotResource", deny(`"Action":"*","NotResource":"` + object + `"`), nil, NotMatched, true,
			"NotResource excludes " + object},
		{"a caller of NotPrincipal", `{"Effect":"Deny","NotPrincipal":{"AWS":["` + accountA + `","` + roleA + `","` + sessionA +
			`"]},"Action":"*","Resource":"*"}`,
			nil, NotMatched, true, "the caller " + sessionA + " is one of them"},
		{"a positive element", deny(`"Action":"s3:GetObject","Resource":"*"`), nil, NotMatched, false, ""},
		{"a positive condition", deny(`"Action":"s3:PutObject","Resource":"*","Condition":{"StringEquals":{"` + sse + `":"aws:kms"}}`),
			map[string][]string{sse: {"AES256"}}, NotMatched, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := Scenario{Request: Request{Principal: sessionA, Action: "s3:PutObject", Resource: object, ResourceAccount: accountB,
				Context: c.context},
				Policies: PolicySet{Resource: mustParse(t, policy12(c.statement))}}
			r := Evaluate(sc)
			i := slices.IndexFunc(r.Layers, func(l LayerResult) bool { return l.Layer == LayerResource })
			l := r.Layers[i]
			if got := l.Statements[0].Outcome; got != c.outcome {
				t.Fatalf("outcome %s, want %s", got, c.outcome)
			}
			if got := FailedOnNegated(sc, l, 0); got != c.negated {
				t.Errorf("failed on a negated element: %t, want %t", got, c.negated)
			}
			if got := strings.Join(Negations(sc, l, 0), "\n"); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A caller that NotPrincipal names, and that has a boundary, is denied all the same: the
// explanation may not say that it is not named.
func TestANamedCallerWithABoundaryIsExplained(t *testing.T) {
	sc := Scenario{
		Request: Request{Principal: sessionA, Action: "s3:PutObject", Resource: object, ResourceAccount: accountB},
		Policies: PolicySet{
			Boundary: []NamedPolicy{{Policy: mustParse(t, policy12(`{"Effect":"Allow","Action":"*","Resource":"*"}`))}},
			Resource: mustParse(t, policy12(`{"Effect":"Deny","NotPrincipal":{"AWS":["`+accountA+`","`+roleA+`","`+sessionA+
				`"]},"Action":"*","Resource":"*"}`)),
		},
	}
	r := Evaluate(sc)
	i := slices.IndexFunc(r.Layers, func(l LayerResult) bool { return l.Layer == LayerResource })
	got := strings.Join(Negations(sc, r.Layers[i], 0), "\n")
	if !strings.Contains(got, "permissions boundary") || strings.Contains(got, "none of them") {
		t.Errorf("got %q", got)
	}
}

// What no policy can allow has one reason, and no layer that looks like the place to repair it.
func TestWhatNoPolicyAllowsSaysWhy(t *testing.T) {
	everyone := mustParse(t, policy12(`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`))
	for name, r := range map[string]Request{
		"kms takes signed requests only": {Principal: "*", Action: "kms:Decrypt", Resource: "arn:aws:kms:eu-west-1:444455556666:key/k"},
		"sts takes signed requests only": {Principal: "*", Action: "sts:AssumeRole", Resource: roleA},
		"belong to AWS": {
			Principal: sessionA, Action: "kms:DeleteAlias", Resource: "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3",
		},
	} {
		sc := Scenario{Request: r, Policies: PolicySet{Resource: everyone}}
		got := Evaluate(sc)
		if got.Decision != ImplicitDeny || len(got.Layers) != 1 || !strings.Contains(got.Layers[0].Reason, name) || len(Candidates(sc)) != 0 {
			t.Errorf("%s: got %+v", name, got)
		}
		if why := NeverAllowed(r); why != got.Layers[0].Reason {
			t.Errorf("NeverAllowed says %q, the result %q", why, got.Layers[0].Reason)
		}
	}
	if why := NeverAllowed(Request{Principal: "*", Action: "s3:GetObject", Resource: object}); why != "" {
		t.Errorf("S3 takes unsigned requests: %s", why)
	}
}
