package iampolicy

import (
	"encoding/json"
	"testing"
)

func mustParse(t testing.TB, s string) *Document {
	t.Helper()
	d, err := Parse([]byte(s))
	if err != nil {
		t.Fatalf("parse %s: %v", s, err)
	}
	return d
}

func decode(t testing.TB, s string) Scenario {
	t.Helper()
	sc, err := DecodeScenario([]byte(s))
	if err != nil {
		t.Fatalf("scenario: %v\n%s", err, s)
	}
	return sc
}

func TestScenarioRoundTrip(t *testing.T) {
	sc := decode(t,
		`{"name":"x","request":{"principal":"arn:aws:sts::111122223333:assumed-role/broker/s","action":"s3:PutObject",
		"resource":"arn:aws:s3:::b/k","resource_account":"444455556666","context":{"aws:SourceIp":["10.0.0.1"],"aws:SourceVpc":null}},
	"policies":{"identity":[{"name":"p","policy":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject",
	"Resource":"arn:aws:s3:::b/*"}]}}],
	"resource":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/broker"},
	"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}]}}}`)
	r := Evaluate(sc)
	if r.Decision != Allowed {
		t.Fatalf("got %+v", r)
	}
	out, err := json.Marshal(sc)
	if err != nil {
		t.Fatal(err)
	}
	again := decode(t, string(out))
	if r2 := Evaluate(again); r2.Decision != Allowed {
		t.Fatalf("after a round trip: %+v", r2)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Fatal(err)
	}
}
