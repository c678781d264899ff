package iampolicy

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// FuzzParse: Parse never panics; an accepted document is JSON, lints, and reads back
// the same.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "{}", policy12(allowAll), policy12(everyone),
		`{"Statement":{"Effect":"Deny","NotAction":"a:*","NotResource":["arn:aws:s3:::${aws:x, 'y'}"],"NotPrincipal":{"AWS":["*"]},` +
			`"Condition":{"ForAllValues:StringLikeIfExists":{"a:b/C":["x*",1,true]}}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted what is no JSON: %q", data)
		}
		for _, k := range []Kind{KindIdentity, KindBucket, KindTrust, KindResourceCtrl} {
			d.Lint(k)
		}
		out, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(out); err != nil {
			t.Fatalf("own output refused: %v", err)
		}
		Evaluate(Scenario{
			Request:  Request{Principal: sessionA, Action: "s3:PutObject", Resource: object},
			Policies: PolicySet{Resource: d, Identity: []NamedPolicy{{Policy: d}}, Boundary: []NamedPolicy{{Policy: d}}},
		})
	})
}

// FuzzGlob compares the matcher with a regular expression.
func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("**?", "é")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 30 || len(s) > 60 || !jsonText(pattern) || !jsonText(s) {
			return
		}
		expr := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
		want := regexp.MustCompile(`(?s)^` + expr + `$`).MatchString(s)
		if got := glob(compileGlob(pattern), s); got != want {
			t.Errorf("glob(%q, %q) = %v", pattern, s, got)
		}
	})
}

// jsonText says whether s can stand in a policy.
func jsonText(s string) bool { return strings.ToValidUTF8(s, "") == s }

// FuzzCondition: a positive operator and its negation never agree on a present
// key, and nothing panics.
func FuzzCondition(f *testing.F) {
	f.Add("String", "a", "b")
	f.Add("Numeric", "1e400", "1")
	f.Add("Date", "2026-01-01", "99999999999")
	f.Fuzz(func(t *testing.T, family, want, got string) {
		if !jsonText(want) {
			return
		}
		pairs := map[string][2]string{
			"String": {"StringEquals", "StringNotEquals"}, "Like": {"StringLike", "StringNotLike"},
			"Fold": {"StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"}, "Numeric": {"NumericEquals", "NumericNotEquals"},
			"Date": {"DateEquals", "DateNotEquals"}, "Ip": {"IpAddress", "NotIpAddress"}, "Arn": {"ArnLike", "ArnNotLike"},
		}
		for name, pair := range pairs {
			if family != name && family != "" {
				continue
			}
			var results [2]tri
			for i, operator := range pair {
				op, _, _, _ := parseOperator(operator)
				c := condition{lookup: "a:k", op: op, want: []string{want}, values: []conditionValue{compileConditionValue(op.kind, want, true)}}
				req := Request{Context: map[string][]string{"a:k": {got}}}
				parsed := parseRequest(&req)
				ctx := requestContext{req: &parsed}
				ctx.load(&req)
				results[i], _ = c.eval(&ctx)
			}
			if results[0] != results[1].not() {
				t.Errorf("%v %q %q: %v", pair, want, got, results)
			}
		}
		parseNumber(got)
		parseDate(got)
	})
}

// FuzzVariable: a value put in for a variable never acts as a pattern.
func FuzzVariable(f *testing.F) {
	f.Add("${a:k}", "*", "x")
	f.Add("p/${a:k, 'd'}/${*}", "?", "p/?/*")
	f.Fuzz(func(t *testing.T, text, value, other string) {
		if !jsonText(text) {
			return
		}
		tpl := compileTemplate(text, true, true)
		req := Request{Context: map[string][]string{"a:k": {value}}}
		parsed := parseRequest(&req)
		ctx := requestContext{req: &parsed}
		ctx.load(&req)
		resolved, known := tpl.resolve(&ctx)
		if text == "${a:k}" && known == yes && value != other && glob(resolved, other) {
			t.Errorf("value %q matches %q", value, other)
		}
	})
}

// FuzzScenario: decoding and deciding never panics; a denial's fixes apply.
func FuzzScenario(f *testing.F) {
	f.Add(
		[]byte(`{"request":{"principal":"` + sessionA + `","action":"s3:PutObject","resource":"` +
			object + `","resource_account":"444455556666","context":{"a:b":["c"],"a:d":null}},` +
			`"policies":{"identity":[{"policy":` + policy12(allowAll) + `}],"resource":` + policy12(everyone) + `,"service_control":[{"level":"r",` +
			`"policies":[]}]},"public_access_block":{"restrict_public_buckets":true},"not_supplied":["session"]}`),
	)
	f.Fuzz(func(t *testing.T, data []byte) {
		sc, err := DecodeScenario(data)
		if err != nil {
			return
		}
		r := Evaluate(sc)
		if r.Decision == Allowed && len(r.Assumptions) == 0 {
			t.Error("allowed without assumptions")
		}
		for _, fixes := range Candidates(sc) {
			if _, err := Apply(sc, fixes); err != nil {
				t.Errorf("fixes do not apply: %v", err)
			}
		}
		AccessDeniedText(sc, r)
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}
