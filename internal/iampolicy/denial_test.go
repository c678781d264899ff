package iampolicy

import (
	"slices"
	"testing"
)

// TestAccessDeniedText follows troubleshoot_access-denied.html. The layer that is
// named across accounts follows recorded answers.
func TestAccessDeniedText(t *testing.T) {
	user := "User: " + sessionA + " is not authorized to perform: "
	put := user + `s3:PutObject on resource: "` + object + `" `
	want := map[string]string{
		"identity alone":                       put + "because no resource-based policy allows the s3:PutObject action",
		"resource alone":                       put + "because no identity-based policy allows the s3:PutObject action",
		"neither side":                         put + "because no resource-based policy allows the s3:PutObject action",
		"account named and no identity policy": put + "because no resource-based policy allows the s3:PutObject action",
		"boundary lacks it":                    put + "because no permissions boundary allows the s3:PutObject action",
		"session policy lacks it":              put + "because no session policy allows the s3:PutObject action",
		"identity denies":                      put + "with an explicit deny in an identity-based policy",
		"resource denies":                      put + "with an explicit deny in a resource-based policy",
		"boundary denies":                      put + "with an explicit deny in a permissions boundary",
		"one level does not allow":             put + "because no service control policy allows the s3:PutObject action",
		"RCP denies strangers":                 put + "with an explicit deny in a resource control policy",
		"endpoint of another bucket":           put + "because no VPC endpoint policy allows the s3:PutObject action",
		"same account, nothing":                put + "because no identity-based policy allows the s3:PutObject action",
		"key policy alone": user + "kms:GenerateDataKey on resource: " +
			keyB + " because no identity-based policy allows the kms:GenerateDataKey action",
		"intersection of actions":  user + "kms:Decrypt on the resource associated with this ciphertext " + opaqueKMS,
		"identity alone for a key": user + "kms:GenerateDataKey on resource: " + keyB + " " + opaqueKMS,
		"trust does not name the caller": "User: " + userA + " is not authorized to perform: sts:AssumeRole on resource: " +
			roleA + " because no role trust policy allows the sts:AssumeRole action",
		"public statement beside a private one": put + "because public policies are restricted by the RestrictPublicBuckets block public " +
			"access setting",
		"both sides allow the role": "",
		"SCP not supplied":          "",
		"anonymous and no policy": `User: anonymous is not authorized to perform: s3:PutObject on resource: "` +
			object + `" because no resource-based policy allows the s3:PutObject action`,
	}
	cases := layerCases()
	for name, text := range want {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(cases, func(c layerCase) bool { return c.name == name })
			if i < 0 {
				t.Fatal("no such case")
			}
			sc := cases[i].scenario(t)
			if got := AccessDeniedText(sc, Evaluate(sc)); got != text {
				t.Errorf("got  %s\nwant %s", got, text)
			}
		})
	}
}

// TestTrace: the first element that failed, with wanted and got, and near
// misses with the closest first.
func TestTrace(t *testing.T) {
	sc := Scenario{Request: Request{Principal: sessionA, Action: "s3:PutObject", Resource: object, ResourceAccount: accountA},
		Policies: PolicySet{Identity: ident(t, `{"Sid":"Far","Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:::x"},
{"Sid":"Near","Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket"},
{"Sid":"Conditional","Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"v1"},
"Bool":{"aws:X":"true"}}}`)}}
	r := Evaluate(sc)
	l := r.Layers[0]
	if !slices.Equal(l.NearMisses, []int{1, 0, 2}) {
		t.Errorf("near misses %v", l.NearMisses)
	}
	s := l.Statements
	if s[0].FailedOn != ElementAction || s[1].FailedOn != ElementResource || s[2].FailedOn != ElementCondition {
		t.Errorf("failed on %s, %s, %s", s[0].FailedOn, s[1].FailedOn, s[2].FailedOn)
	}
	if s[1].Line != 2 || !slices.Equal(s[1].Want, []string{"arn:aws:s3:::bucket"}) || !slices.Equal(s[1].Got, []string{object}) {
		t.Errorf("near: %+v", s[1])
	}
	if s[2].Key != "aws:SourceVpc" || s[2].Operator != "StringEquals" || len(s[2].Got) != 0 {
		t.Errorf("conditional: %+v", s[2])
	}
}

// TestRootCause: a deny first, else the nearest miss.
func TestRootCause(t *testing.T) {
	near := `{"Effect":"Allow","Principal":` + aws(roleA) + `,"Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket"}`
	for _, c := range []struct {
		identity, resource string
		want               Layer
	}{
		{allowKMS, near, LayerResource},
		{`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::bucket"}`, grants(aws(accountB), "kms:*"), LayerIdentity},
		{allowKMS, `{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}`, LayerResource},
	} {
		r := Evaluate(Scenario{Request: Request{Principal: sessionA, Action: "s3:PutObject", Resource: object, ResourceAccount: accountB},
			Policies: PolicySet{Identity: ident(t, c.identity), Resource: mustParse(t, policy12(c.resource))}})
		if r.RootCause != c.want {
			t.Errorf("%s / %s: root cause %s, want %s", c.identity, c.resource, r.RootCause, c.want)
		}
	}
}
