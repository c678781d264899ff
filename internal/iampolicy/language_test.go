package iampolicy

import (
	"fmt"
	"testing"
)

const (
	accountA = "111122223333"
	accountB = "444455556666"
	roleA    = "arn:aws:iam::111122223333:role/broker"
	sessionA = "arn:aws:sts::111122223333:assumed-role/broker/s1"
	userA    = "arn:aws:iam::111122223333:user/ann"
	rootA    = "arn:aws:iam::111122223333:root"
	object   = "arn:aws:s3:::bucket/logs/x"
	keyB     = "arn:aws:kms:eu-west-1:444455556666:key/1234abcd"
)

// policyOf wraps statements; version "" leaves the element out.
func policyOf(version, statements string) string {
	if version != "" {
		version = fmt.Sprintf(`"Version":%q,`, version)
	}
	return "{" + version + `"Statement":[` + statements + "]}"
}

func policy12(statements string) string { return policyOf("2012-10-17", statements) }

func ident(t testing.TB, statements string) []NamedPolicy {
	t.Helper()
	return []NamedPolicy{{Name: "p", Policy: mustParse(t, policy12(statements))}}
}

// TestLanguage decides single identity statements for a session in its own
// account. Pages are of the IAM User Guide.
func TestLanguage(t *testing.T) {
	const (
		pAction   = "reference_policies_elements_action.html"
		pNot      = "reference_policies_elements_notaction.html"
		pResource = "reference_policies_elements_resource.html"
		pNotRes   = "reference_policies_elements_notresource.html"
	)
	cases := []struct{ name, page, statement, action, resource, want string }{
		{"exact action", pAction, `"Action":"s3:PutObject","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"another action", pAction, `"Action":"s3:GetObject","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"action without regard to case", pAction, `"Action":"S3:putOBJECT","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"request action in lower case", pAction, `"Action":"s3:PutObject","Resource":"*"`, "s3:putobject", object, "allowed"},
		{"star covers every action", pAction, `"Action":"*","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"star within a service", pAction, `"Action":"s3:*","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"star within another service", pAction, `"Action":"kms:*","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"star at the end", pAction, `"Action":"s3:Put*","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"star in the middle", pAction, `"Action":"s3:P*Object","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"star may be empty", pAction, `"Action":"s3:PutObject*","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"star does not end early", pAction, `"Action":"s3:P*Objec","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"question mark is one character", pAction, `"Action":"s3:PutObjec?","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"question mark is not none", pAction, `"Action":"s3:PutObject?","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"several actions, one fits", pAction, `"Action":["s3:GetObject","s3:PutObject"],"Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"empty list of actions", pAction, `"Action":[],"Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"leading space never matches", pAction, `"Action":" s3:PutObject","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"trailing space never matches", pAction, `"Action":"s3:PutObject ","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"comma within never matches", pAction, `"Action":"s3:PutObject,s3:GetObject","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"no service never matches", pAction, `"Action":"PutObject","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"prefix of the service without colon never matches", pAction, `"Action":"s3*","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"wildcards on both sides", pAction, `"Action":"*:*","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"NotAction covers the others", pNot, `"NotAction":"iam:*","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"NotAction leaves its own out", pNot, `"NotAction":"s3:*","Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"NotAction with a space matches always", pNot, `"NotAction":"s3:PutObject ","Resource":"*"`, "s3:PutObject", object, "allowed"},
		{"NotAction list", pNot, `"NotAction":["kms:*","s3:Put*"],"Resource":"*"`, "s3:PutObject", object, "implicit_deny"},
		{"exact resource", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::bucket/logs/x"`, "s3:PutObject", object, "allowed"},
		{"resource with regard to case", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::bucket/Logs/x"`, "s3:PutObject", object,
			"implicit_deny"},
		{"prefix", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::bucket/logs/*"`, "s3:PutObject", object, "allowed"},
		{"another prefix", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::bucket/log/*"`, "s3:PutObject", object, "implicit_deny"},
		{"bucket alone is not its objects", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::bucket"`, "s3:PutObject", object,
			"implicit_deny"},
		{"star crosses slashes", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::*x"`, "s3:PutObject", object, "allowed"},
		{"star in the resource crosses colons", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::bucket/*"`, "s3:PutObject",
			"arn:aws:s3:::bucket/a:b:c", "allowed"},
		{"question mark in the resource", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::bucket/logs/?"`, "s3:PutObject",
			object, "allowed"},
		{"question mark counts characters", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::bucket/?"`, "s3:PutObject",
			"arn:aws:s3:::bucket/é", "allowed"},
		{"another partition", pResource, `"Action":"s3:*","Resource":"arn:aws-cn:s3:::bucket/*"`, "s3:PutObject", object, "implicit_deny"},
		{"any partition", pResource, `"Action":"s3:*","Resource":"arn:*:s3:::bucket/*"`, "s3:PutObject", object, "allowed"},
		{"another service", pResource, `"Action":"s3:*","Resource":"arn:aws:sqs:::bucket/*"`, "s3:PutObject", object, "implicit_deny"},
		{"wildcard stays in its field", pResource, `"Action":"kms:*","Resource":"arn:aws:kms:*:key/1"`, "kms:CreateGrant",
			"arn:aws:kms:eu-west-1:111122223333:key/1", "implicit_deny"},
		{"wildcard per field", pResource, `"Action":"iam:*","Resource":"arn:aws:iam::*:role/x"`, "iam:GetRole",
			"arn:aws:iam::111122223333:role/x", "allowed"},
		{"short ARN is completed", pResource, `"Action":"s3:*","Resource":"arn:aws:s3"`, "s3:PutObject", object, "allowed"},
		{"short ARN of another service", pResource, `"Action":"s3:*","Resource":"arn:aws:sqs"`, "s3:PutObject", object, "implicit_deny"},
		{"no ARN never matches", pResource, `"Action":"s3:*","Resource":"bucket/logs/x"`, "s3:PutObject", object, "implicit_deny"},
		{"star that is no ARN never matches", pResource, `"Action":"s3:*","Resource":"*x"`, "s3:PutObject", object, "implicit_deny"},
		{"empty list of resources", pResource, `"Action":"s3:*","Resource":[]`, "s3:PutObject", object, "implicit_deny"},
		{"missing resource in an identity policy", pResource, `"Action":"s3:*"`, "s3:PutObject", object, "implicit_deny"},
		{"several resources, one fits", pResource, `"Action":"s3:*","Resource":["arn:aws:s3:::o/*","arn:aws:s3:::bucket/*"]`, "s3:PutObject",
			object, "allowed"},
		{"action without resource and star", pResource, `"Action":"s3:*","Resource":"*"`, "s3:ListAllMyBuckets", "*", "allowed"},
		{"action without resource and the service's star", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::*"`, "s3:ListAllMyBuckets",
			"*", "allowed"},
		{"action without resource and a bucket", pResource, `"Action":"s3:*","Resource":"arn:aws:s3:::bucket"`, "s3:ListAllMyBuckets", "*",
			"implicit_deny"},
		{"NotResource covers the others", pNotRes, `"Action":"s3:*","NotResource":"arn:aws:s3:::other/*"`, "s3:PutObject", object, "allowed"},
		{"NotResource leaves its own out", pNotRes, `"Action":"s3:*","NotResource":"arn:aws:s3:::bucket/*"`, "s3:PutObject", object,
			"implicit_deny"},
		{"NotResource list", pNotRes, `"Action":"s3:*","NotResource":["arn:aws:s3:::o/*","arn:aws:s3:::bucket/logs/*"]`, "s3:PutObject", object,
			"implicit_deny"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sc := Scenario{Request: Request{Principal: sessionA, Action: c.action, Resource: c.resource, ResourceAccount: accountA},
				Policies: PolicySet{Identity: ident(t, `{"Effect":"Allow",`+c.statement+`}`)}}
			if c.action == "kms:CreateGrant" {
				sc.Policies.Resource = mustParse(t, policy12(`{"Effect":"Allow","Principal":{"AWS":"`+accountA+`"},"Action":"kms:*","Resource":"*"}`))
			}
			if r := Evaluate(sc); string(r.Decision) != c.want {
				t.Errorf("%s: got %s, want %s (%s)", c.statement, r.Decision, c.want, c.page)
			}
			// The same statement as a Deny denies the requests that it allowed, and no others.
			if c.statement == `"Action":"s3:*"` || c.action == "kms:CreateGrant" {
				return
			}
			sc.Policies.Identity = ident(t, `{"Effect":"Deny",`+c.statement+`},{"Effect":"Allow","Action":"*","Resource":"*"}`)
			want := Allowed
			if c.want == "allowed" {
				want = ExplicitDeny
			}
			if r := Evaluate(sc); r.Decision != want {
				t.Errorf("deny %s: got %s, want %s", c.statement, r.Decision, want)
			}
		})
	}
}

// TestVariables follows reference_policies_variables.html.
func TestVariables(t *testing.T) {
	cases := []struct {
		name, version, statement, resource string
		context                            map[string][]string
		want                               bool
	}{
		{"variable in the resource", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`, "arn:aws:s3:::b/red/x",
			map[string][]string{"aws:PrincipalTag/team": {"red"}}, true},
		{"variable with another value", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`, "arn:aws:s3:::b/blue/x",
			map[string][]string{"aws:PrincipalTag/team": {"red"}}, false},
		{"missing key matches nothing", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`, "arn:aws:s3:::b//x", nil, false},
		{"default when missing", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team, 'all'}/*"`,
			"arn:aws:s3:::b/all/x", nil, true},
		{"default not used when present", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team, 'all'}/*"`, "arn:aws:s3:::b/all/x",
			map[string][]string{"aws:PrincipalTag/team": {"red"}}, false},
		{"version 2008 has no variables", "2008-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`, "arn:aws:s3:::b/red/x",
			map[string][]string{"aws:PrincipalTag/team": {"red"}}, false},
		{"missing version has no variables", "", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/*"`, "arn:aws:s3:::b/red/x",
			map[string][]string{"aws:PrincipalTag/team": {"red"}}, false},
		{"in version 2008 the text stands for itself", "2008-10-17", `"Resource":"arn:aws:s3:::b/${x}/*"`, "arn:aws:s3:::b/${x}/k", nil, true},
		{"value with a star is no wildcard", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/x"`, "arn:aws:s3:::b/red/x",
			map[string][]string{"aws:PrincipalTag/team": {"*"}}, false},
		{"value with a star matches a star", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/x"`, "arn:aws:s3:::b/*/x",
			map[string][]string{"aws:PrincipalTag/team": {"*"}}, true},
		{"several values match nothing", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalTag/team}/x"`, "arn:aws:s3:::b/red/x",
			map[string][]string{"aws:PrincipalTag/team": {"red", "blue"}}, false},
		{"escaped star is a star", "2012-10-17", `"Resource":"arn:aws:s3:::b/${*}"`, "arn:aws:s3:::b/*", nil, true},
		{"escaped star is no wildcard", "2012-10-17", `"Resource":"arn:aws:s3:::b/${*}"`, "arn:aws:s3:::b/x", nil, false},
		{"escaped question mark", "2012-10-17", `"Resource":"arn:aws:s3:::b/${?}"`, "arn:aws:s3:::b/x", nil, false},
		{"escaped dollar", "2012-10-17", `"Resource":"arn:aws:s3:::b/${$}{x}"`, "arn:aws:s3:::b/${x}", nil, true},
		{"key without regard to case", "2012-10-17", `"Resource":"arn:aws:s3:::b/${AWS:UserName}"`, "arn:aws:s3:::b/ann",
			map[string][]string{"aws:username": {"ann"}}, true},
		{"variable before the fifth colon is text", "2012-10-17", `"Resource":"arn:aws:${aws:x}:::b/k"`, "arn:aws:s3:::b/k",
			map[string][]string{"aws:x": {"s3"}}, false},
		{"open brace is text", "2012-10-17", `"Resource":"arn:aws:s3:::b/${x"`, "arn:aws:s3:::b/${x", nil, true},
		{"derived account", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:PrincipalAccount}/*"`, "arn:aws:s3:::b/111122223333/k", nil, true},
		{"two variables", "2012-10-17", `"Resource":"arn:aws:s3:::b/${aws:a}-${aws:b}"`, "arn:aws:s3:::b/1-2",
			map[string][]string{"aws:a": {"1"}, "aws:b": {"2"}}, true},
		{"in a condition", "2012-10-17", `"Resource":"*","Condition":{"StringEquals":{"s3:prefix":"home/${aws:username}"}}`, "arn:aws:s3:::b",
			map[string][]string{"aws:username": {"ann"}, "s3:prefix": {"home/ann"}}, true},
		{"in a condition of version 2008", "2008-10-17", `"Resource":"*","Condition":{"StringEquals":{"s3:prefix":"home/${aws:username}"}}`,
			"arn:aws:s3:::b", map[string][]string{"aws:username": {"ann"}, "s3:prefix": {"home/ann"}}, false},
		{"missing in a negated condition", "2012-10-17", `"Resource":"*","Condition":{"StringNotEquals":{"s3:prefix":"${aws:nothing}"}}`,
			"arn:aws:s3:::b", map[string][]string{"s3:prefix": {"x"}}, true},
		{"in an ARN condition", "2012-10-17", `"Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::${aws:username}*"}}`,
			"arn:aws:s3:::b", map[string][]string{"aws:username": {"ann"}, "aws:SourceArn": {"arn:aws:s3:::ann-1"}}, true},
		{"wildcards around a variable in StringLike", "2012-10-17",
			`"Resource":"*","Condition":{"StringLike":{"s3:prefix":"*${aws:username}*"}}`, "arn:aws:s3:::b",
			map[string][]string{"aws:username": {"ann"}, "s3:prefix": {"home/ann/x"}}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := mustParse(t, policyOf(c.version, `{"Effect":"Allow","Action":"s3:*",`+c.statement+`}`))
			r := Evaluate(Scenario{Request: Request{Principal: sessionA, Action: "s3:GetObject", Resource: c.resource, ResourceAccount: accountA,
				Context: c.context},
				Policies: PolicySet{Identity: []NamedPolicy{{Policy: d}}}})
			if got := r.Decision == Allowed; got != c.want {
				t.Errorf("got %s, want allowed %v", r.Decision, c.want)
			}
		})
	}
}
