package iampolicy

import (
	"fmt"
	"slices"
	"testing"
)

func TestLint(t *testing.T) {
	const role = `"Principal":{"AWS":"` + roleA + `"},`
	cases := []struct {
		name string
		kind Kind
		text string
		want string // code@line:column
	}{
		{"broken JSON", KindIdentity, `{`, "POL001@1:2"},
		{"no version", KindIdentity, `{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`, "POL003@1:1"},
		{"no statements", KindIdentity, policy12(""), "POL004@1:37"},
		{
			"Sid twice", KindIdentity,
			policy12(`{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"*","Resource":"*"}`),
			"POL005@1:101",
		},
		{"everything", KindIdentity, policy12(allowAll), "POL006@1:38"},
		{"RCP that allows", KindResourceCtrl, policy12(everyone), "POL007@1:38"},
		{"public bucket", KindBucket, policy12(everyone), "POL008@1:38"},
		{
			"network condition on KMS", KindIdentity,
			policy12(`{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`),
			"POL009@1:38",
		},
		{"bucket policy without principal", KindBucket, policy12(allowS3), "POL010@1:38"},
		{"identity policy with principal", KindIdentity, policy12(`{"Effect":"Allow",` + role + `"Action":"s3:GetObject","Resource":"*"}`),
			"POL011@1:68"},
		{"empty principal", KindBucket, policy12(`{"Effect":"Allow","Principal":{},"Action":"s3:GetObject","Resource":"*"}`), "POL012@1:68"},
		{"NotPrincipal in a trust policy", KindTrust,
			policy12(`{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}`), "POL013@1:70"},
		{
			"NotPrincipal with Allow", KindBucket,
			policy12(`{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*"}`), "POL014@1:71",
		},
		{
			"NotPrincipal with Deny", KindBucket,
			policy12(`{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"s3:*","Resource":"*"}`), "POL015@1:70",
		},
		{
			"stale id", KindBucket,
			policy12(`{"Effect":"Allow","Principal":{"AWS":"AROAEXAMPLEEXAMPLE01"},"Action":"s3:GetObject","Resource":"*"}`), "POL017@1:75",
		},
		{
			"wildcard principal", KindBucket,
			policy12(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/*"},"Action":"s3:GetObject","Resource":"*"}`),
			"POL018@1:75",
		},
		{"no principal at all", KindBucket, policy12(`{"Effect":"Allow","Principal":{"AWS":"ann"},"Action":"s3:GetObject","Resource":"*"}`),
			"POL019@1:75"},
		{"space in an action", KindIdentity, policy12(`{"Effect":"Allow","Action":"s3:GetObject ","Resource":"*"}`), "POL022@1:65"},
		{"action without service", KindIdentity, policy12(`{"Effect":"Allow","Action":"GetObject","Resource":"*"}`), "POL023@1:65"},
		{"S3 in a trust policy", KindTrust, policy12(`{"Effect":"Allow",` + role + `"Action":"s3:GetObject"}`), "POL024@1:125"},
		{"wildcard in the service", KindIdentity, policy12(`{"Effect":"Allow","Action":"s*:PutObject","Resource":"*"}`), "POL025@1:65"},
		{"wildcard in the resource type", KindIdentity,
			policy12(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::444455556666:r?le/x"}`), "POL047@1:93"},
		{
			"ForAnyValue and IfExists", KindIdentity,
			policy12(`{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b",` +
				`"Condition":{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"a"}}}`), "POL048@1:163",
		},
		{"boundary that allows nothing", KindBoundary, policy12(denyPut), "POL049@1:37"},
		{"endpoint that allows nothing", KindVPCEndpoint, policy12(`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}`),
			"POL049@1:37"},
		{"no resource", KindIdentity, policy12(`{"Effect":"Allow","Action":"s3:GetObject"}`), "POL030@1:38"},
		{"resource in a trust policy", KindTrust, policy12(`{"Effect":"Allow",` + role + `"Action":"sts:AssumeRole","Resource":"*"}`),
			"POL031@1:153"},
		{"resource that is no ARN", KindIdentity, policy12(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"bucket/*"}`), "POL033@1:91"},
		{"unknown partition", KindIdentity, policy12(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws-x:s3:::b/*"}`),
			"POL035@1:91"},
		{"alias as a key", KindIdentity, policy12(`{"Effect":"Allow","Action":"kms:*","Resource":"arn:aws:kms:eu-west-1:444455556666:alias/k"}`),
			"POL036@1:84"},
		{"object action on the bucket", KindIdentity, policy12(`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket"}`),
			"POL037@1:91"},
		{
			"variable too early", KindIdentity,
			policy12(`{"Effect":"Allow","Action":"iam:GetRole","Resource":"arn:aws:iam::${aws:PrincipalAccount}:role/x"}`), "POL039@1:90",
		},
		{
			"ForAllValues with Allow", KindIdentity,
			policy12(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}}`),
			"POL040@1:151",
		},
		{
			"number that is none", KindIdentity,
			policy12(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"NumericLessThan":{"s3:max-keys":"ten"}}}`),
			"POL043@1:141",
		},
		{
			"wildcard in StringEquals", KindIdentity,
			policy12(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"s3:prefix":"a*"}}}`), "POL044@1:136",
		},
		{"session as aws:PrincipalArn", KindIdentity,
			policy12(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"` + sessionA +
				`"}}}`), "POL045@1:138"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, f := range LintText([]byte(c.text), c.kind) {
				got = append(got, fmt.Sprintf("%s@%d:%d", f.Code, f.Line, f.Column))
			}
			if !slices.Contains(got, c.want) {
				t.Errorf("got %v, want %s", got, c.want)
			}
		})
	}
	for kind, text := range map[Kind]string{
		KindIdentity: policy12(`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/logs/*"}`),
		KindTrust:    policy12(trusts(aws(roleA), `,"Condition":{"StringEquals":{"sts:ExternalId":"x"}}`)),
		KindKey:      policy12(grants(aws(roleA), "kms:Decrypt")),
		KindBoundary: policy12(`{"Effect":"Allow","Action":"iam:*","Resource":["arn:aws:iam::444455556666:role/*",` +
			`"arn:aws:kms:*:444455556666:key/*"]},` + denyPut),
	} {
		if f := LintText([]byte(text), kind); len(f) != 0 {
			t.Errorf("%s: a good policy gave %+v", kind, f)
		}
	}
}
