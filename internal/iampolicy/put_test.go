package iampolicy

import (
	"slices"
	"strings"
	"testing"
)

// examplePut is an upload with every header that implies an action.
func examplePut(t *testing.T) Put {
	return Put{
		Request: Request{Principal: sessionA, Resource: object, ResourceAccount: accountB,
			Context: map[string][]string{"aws:SourceIp": {"192.0.2.1"}, "aws:PrincipalOrgID": {"o-a"}}},
		Policies: PolicySet{Identity: ident(t, allowS3+","+allowKMS), Resource: mustParse(t, policy12(everyone))},
		KeyARN:   keyB, KeyPolicy: mustParse(t, policy12(grants(aws(roleA), "kms:*"))), Multipart: true,
		ACL: "bucket-owner-full-control", Tags: map[string]string{"team": "red"}, ObjectLockMode: "GOVERNANCE", LegalHold: "ON",
		BypassGovernance: true,
	}
}

func putDecisions(t *testing.T, p Put) (names []string, denied []string) {
	t.Helper()
	list, err := p.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range list {
		names = append(names, sc.Name)
		if r := Evaluate(sc); r.Decision != Allowed {
			denied = append(denied, sc.Name+" "+string(r.BlockedBy[0]))
		}
	}
	return names, denied
}

func TestPutImpliesActions(t *testing.T) {
	names, denied := putDecisions(t, examplePut(t))
	want := []string{"s3:PutObject", "s3:PutObjectAcl", "s3:PutObjectTagging", "s3:PutObjectRetention", "s3:PutObjectLegalHold",
		"s3:BypassGovernanceRetention", "kms:GenerateDataKey", "kms:Decrypt"}
	if !slices.Equal(names, want) || denied != nil {
		t.Errorf("got %v, denied %v", names, denied)
	}
}

func TestPutFailures(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Put)
		want   string
	}{
		{"identity without KMS (the common omission)", func(p *Put) { p.Policies.Identity = ident(t, allowS3) },
			"kms:GenerateDataKey identity, kms:Decrypt identity"},
		{"no Decrypt: multipart alone fails", func(p *Put) { p.KeyPolicy = mustParse(t, policy12(grants(aws(roleA), "kms:GenerateDataKey"))) },
			"kms:Decrypt resource"},
		{"no Decrypt: a single put passes", func(p *Put) {
			p.KeyPolicy, p.Multipart = mustParse(t, policy12(grants(aws(roleA), "kms:GenerateDataKey"))), false
		}, ""},
		{"source address in the identity policy", func(p *Put) {
			p.Policies.Identity = ident(t, `{"Effect":"Allow","Action":"*","Resource":"*",`+
				`"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`)
		}, "kms:GenerateDataKey identity, kms:Decrypt identity"},
		{"address denied unless via a service", func(p *Put) {
			p.Policies.Identity = ident(t, allowAll+`,{"Effect":"Deny","Action":"*","Resource":"*",`+
				`"Condition":{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"},"Bool":{"aws:ViaAWSService":"false"}}}`)
		}, ""},
		{"endpoint policy without KMS", func(p *Put) { p.Policies.VPCEndpoint = ident(t, everyone) }, ""},
		{"another Region in kms:ViaService", func(p *Put) {
			p.KeyPolicy = mustParse(
				t,
				policy12(
					strings.Replace(grants(aws(roleA), "kms:*"), `"Resource":"*"`,
						`"Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}`, 1),
				),
			)
		}, "kms:GenerateDataKey resource, kms:Decrypt resource"},
		{"encryption context of the object, bucket keys on", func(p *Put) {
			p.BucketKey = true
			p.KeyPolicy = mustParse(
				t,
				policy12(
					strings.Replace(grants(aws(roleA), "kms:*"), `"Resource":"*"`,
						`"Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:aws:s3:arn":"`+object+`"}}`, 1),
				),
			)
		}, "kms:GenerateDataKey resource, kms:Decrypt resource"},
		{"organization of the principal goes along", func(p *Put) {
			p.KeyPolicy = mustParse(
				t,
				policy12(
					strings.Replace(grants(aws("*"), "kms:*"), `"Resource":"*"`,
						`"Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a"}}`, 1),
				),
			)
		}, ""},
		{"tag without the right to tag", func(p *Put) {
			p.Policies.Resource = mustParse(t, policy12(grants(aws(roleA), "s3:PutObject")))
			p.ACL, p.ObjectLockMode, p.LegalHold, p.BypassGovernance = "", "", "", false
		}, "s3:PutObjectTagging resource"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := examplePut(t)
			c.change(&p)
			if _, denied := putDecisions(t, p); strings.Join(denied, ", ") != c.want {
				t.Errorf("denied %v, want %s", denied, c.want)
			}
		})
	}
}

func TestPutRefuses(t *testing.T) {
	for name, change := range map[string]func(*Put){
		"bucket":  func(p *Put) { p.Request.Resource = "arn:aws:s3:::bucket" },
		"no key":  func(p *Put) { p.KeyARN = "alias/k" },
		"nothing": func(p *Put) { p.Request.Resource = "" },
	} {
		p := examplePut(t)
		change(&p)
		if _, err := p.Scenarios(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestPublic follows access-control-block-public-access.html of the S3 guide.
func TestPublic(t *testing.T) {
	cases := []struct {
		name, principal, condition string
		want                       bool
	}{
		{"everyone", `"*"`, ``, true},
		{"AWS star", `{"AWS":"*"}`, ``, true},
		{"an account", aws(accountA), ``, false},
		{"fixed organization", `"*"`, `{"StringEquals":{"aws:PrincipalOrgID":"o-a"}}`, false},
		{"organization with a wildcard", `"*"`, `{"StringLike":{"aws:PrincipalOrgID":"o-*"}}`, true},
		{"organization if it exists", `"*"`, `{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-a"}}`, true},
		{"not an organization", `"*"`, `{"StringNotEquals":{"aws:PrincipalOrgID":"o-a"}}`, true},
		{"endpoint", `"*"`, `{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`, false},
		{"endpoints with a wildcard", `"*"`, `{"StringLike":{"aws:SourceVpc":"vpc-*"}}`, true},
		{"variable", `"*"`, `{"StringEquals":{"aws:SourceVpc":"${aws:x}"}}`, true},
		{"narrow block", `"*"`, `{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, false},
		{"whole Internet", `"*"`, `{"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}}`, true},
		{"one block of two is wide", `"*"`, `{"IpAddress":{"aws:SourceIp":["203.0.113.0/24","0.0.0.0/0"]}}`, true},
		{"wide block of version 6", `"*"`, `{"IpAddress":{"aws:SourceIp":"2000::/3"}}`, true},
		{"transport does not limit", `"*"`, `{"Bool":{"aws:SecureTransport":"true"}}`, true},
		{"account of the principal", `"*"`, `{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}`, false},
		{"roles of an account", `"*"`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/*"}}`, false},
		{"roles of any account", `"*"`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/x"}}`, true},
		{"for all values", `"*"`, `{"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-a"}}`, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := `{"Effect":"Allow","Principal":` + c.principal + `,"Action":"s3:GetObject","Resource":"*"`
			if c.condition != "" {
				s += `,"Condition":` + c.condition
			}
			if got := mustParse(t, policy12(s+"}")).Public(); got != c.want {
				t.Errorf("public %v", got)
			}
		})
	}
	if mustParse(t, policy12(`{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}`)).Public() {
		t.Error("a Deny is not public")
	}
}

// TestUnknownContext: unknown only when the answer depends on the key.
func TestUnknownContext(t *testing.T) {
	const onVPC = `,"Condition":{"StringEquals":{"aws:SourceVpc":"v"}}}`
	cases := []struct {
		name, identity string
		want           Decision
	}{
		{"allow that depends on it", `{"Effect":"Allow","Action":"*","Resource":"*"` + onVPC, Unknown},
		{"another statement allows", allowAll + `,{"Effect":"Allow","Action":"*","Resource":"*"` + onVPC, Allowed},
		{"deny that depends on it", allowAll + `,{"Effect":"Deny","Action":"*","Resource":"*"` + onVPC, Unknown},
		{"deny of another action", allowAll + `,{"Effect":"Deny","Action":"iam:*","Resource":"*"` + onVPC, Allowed},
		{"deny whose other condition is false", allowAll + `,{"Effect":"Deny","Action":"*","Resource":"*",` +
			`"Condition":{"StringEquals":{"aws:SourceVpc":"v","aws:PrincipalAccount":"1"}}}`, Allowed},
		{"deny and nothing allows", `{"Effect":"Deny","Action":"*","Resource":"*"` + onVPC, ImplicitDeny},
		{"another deny is sure", denyPut + `,{"Effect":"Deny","Action":"*","Resource":"*"` + onVPC, ExplicitDeny},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := Evaluate(Scenario{Request: Request{Principal: sessionA, Action: "s3:PutObject", Resource: object, ResourceAccount: accountA,
				UnknownContext: []string{"aws:SourceVpc"}},
				Policies: PolicySet{Identity: ident(t, c.identity)}})
			if r.Decision != c.want {
				t.Errorf("got %s, want %s", r.Decision, c.want)
			}
			if r.Decision == Unknown && !slices.Contains(r.Assumptions, "context key not known: aws:SourceVpc") {
				t.Errorf("the key is not named: %v", r.Assumptions)
			}
		})
	}
}
