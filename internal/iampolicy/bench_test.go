package iampolicy

import (
	"fmt"
	"strings"
	"testing"
)

// crossAccountPut is the product's own case: the S3 put and the KMS call that
// S3 makes for it, with the policies that setup writes.
func crossAccountPut(t testing.TB) []Scenario {
	t.Helper()
	via := `"Condition":{"StringEquals":{"kms:ViaService":"s3.eu-west-1.amazonaws.com"}}`
	p := Put{
		Request: Request{Principal: sessionA, RoleARN: roleA, PrincipalID: "AROAEXAMPLEEXAMPLE01:s1", Resource: "arn:aws:s3:::bucket/logs/x",
			ResourceAccount: accountB,
			Context: map[string][]string{"aws:SecureTransport": {"true"}, "s3:x-amz-server-side-encryption": {"aws:kms"},
				"s3:x-amz-server-side-encryption-aws-kms-key-id": {keyB}, "aws:SourceIp": {"192.0.2.1"}}},
		Policies: PolicySet{
			Identity: ident(t, `{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::bucket/logs/*"},`+
				`{"Effect":"Allow","Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"`+keyB+`",`+via+`}`),
			Resource: mustParse(t,
				policy12(`{"Sid":"Put","Effect":"Allow","Principal":{"AWS":"`+
					roleA+`"},"Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::bucket/logs/*"},
				{"Sid":"TLS","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::bucket","arn:aws:s3:::bucket/*"],
				"Condition":{"Bool":{"aws:SecureTransport":"false"}}},
				{"Sid":"KMS","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*",
				"Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}},
				{"Sid":"Key","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/*",
				"Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"`+keyB+`"}}}`)),
		},
		KeyARN: keyB,
		KeyPolicy: mustParse(t, policy12(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"kms:*","Resource":"*"},
			{"Effect":"Allow","Principal":{"AWS":"`+roleA+`"},"Action":["kms:GenerateDataKey","kms:Decrypt"],"Resource":"*",`+via+`}`)),
		PublicAccessBlock: &PublicAccessBlock{BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: true,
			RestrictPublicBuckets: true},
	}
	list, err := p.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCrossAccountPutBudget(t *testing.T) {
	list := crossAccountPut(t)
	if len(list) != 2 {
		t.Fatalf("got %d scenarios, want the S3 and the KMS call", len(list))
	}
	for _, sc := range list {
		if r := Evaluate(sc); r.Decision != Allowed {
			t.Fatalf("%s: %s %+v", sc.Name, r.Decision, r.Layers)
		}
	}
	allocs := testing.AllocsPerRun(100, func() {
		for _, sc := range list {
			Evaluate(sc)
		}
	})
	if allocs > 60 {
		t.Errorf("%v allocations, the budget is 60", allocs)
	}
}

func BenchmarkCrossAccountPut(b *testing.B) {
	list := crossAccountPut(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, sc := range list {
			Evaluate(sc)
		}
	}
}

func BenchmarkParse20KB(b *testing.B) {
	var s []string
	for i := 0; len(strings.Join(s, ",")) < 20000; i++ {
		s = append(
			s,
			fmt.Sprintf(`{"Sid":"S%d","Effect":"Allow","Principal":{"AWS":"%s"},"Action":["s3:PutObject","s3:Get*"],`+
				`"Resource":"arn:aws:s3:::bucket/${aws:username}/%d/*","Condition":{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x*"}}}`,
				i, roleA, i),
		)
	}
	text := []byte(policy12(strings.Join(s, ",\n")))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
