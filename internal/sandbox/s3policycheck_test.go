package sandbox_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// TestBucketPolicyIsChecked: what S3 refuses in a bucket policy, in its words.
func TestBucketPolicyIsChecked(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	bucket := aclBucket(t, b, "checked", "")
	const (
		arn    = "arn:aws:s3:::checked"
		head   = `{"Version":"2012-10-17","Statement":[`
		foot   = `]}`
		friend = `"Principal":{"AWS":"` + accountA + `"},`
	)
	st := func(rest string) string { return head + `{"Effect":"Allow",` + friend + rest + `}` + foot }
	on := func(action, resource string) string {
		return st(`"Action":` + action + `,"Resource":` + resource)
	}
	when := func(action, resource, condition string) string {
		return st(`"Action":` + action + `,"Resource":` + resource + `,"Condition":` + condition)
	}
	const objects, whole = `"` + arn + `/*"`, `"` + arn + `"`
	cases := []struct {
		name, policy, want string
	}{
		{"objects", on(`"s3:GetObject"`, objects), ""},
		{"the bucket", on(`"s3:ListBucket"`, whole), ""},
		{"both of both", on(`["s3:GetObject","s3:ListBucket"]`, `[`+whole+`,`+objects+`]`), ""},
		{"everything", on(`"s3:*"`, `"`+arn+`*"`), ""},
		{"any action at all", on(`"*"`, objects), ""},
		{"one statement without a list", strings.TrimSuffix(strings.Replace(on(`"s3:GetObject"`, objects), "[{", "{", 1), foot) + "}", ""},
		{"a condition of S3", when(`"s3:ListBucket"`, whole, `{"StringLike":{"s3:prefix":["a/*"]}}`), ""},
		{"a condition on a tag", when(`"s3:GetObject"`, objects, `{"StringEquals":{"s3:ExistingObjectTag/team":"x"}}`), ""},
		{"a condition of every service", when(`"s3:*"`, objects, `{"Bool":{"aws:SecureTransport":"false"}}`), ""},
		{"an address", when(`"s3:GetObject"`, objects, `{"IpAddress":{"aws:SourceIp":["192.0.2.0/24","2001:db8::1"]}}`), ""},
		{"a list", `[]`, "Policies must be valid JSON and the first byte must be '{'"},
		{"broken JSON", `{"Version":`, "This policy contains invalid Json"},
		{"no statement", `{"Version":"2012-10-17"}`, "Missing required field Statement"},
		{"an empty list of statements", head + foot, "Could not parse the policy: Statement is empty!"},
		{"a version that does not exist", strings.Replace(on(`"s3:GetObject"`, objects), "2012", "2013", 1),
			"The policy must contain a valid version string"},
		{"a field that does not exist", st(`"Actions":"s3:GetObject","Resource":` + objects), "Unknown field Actions"},
		{"no effect", head + `{` + friend + `"Action":"s3:GetObject","Resource":` + objects + `}` + foot, "Missing required field Effect"},
		{"an effect that does not exist", strings.Replace(on(`"s3:GetObject"`, objects), "Allow", "Permit", 1), "Invalid effect: Permit"},
		{"no principal", strings.Replace(on(`"s3:GetObject"`, objects), friend, "", 1), "Missing required field Principal"},
		{"no action", st(`"Resource":` + objects), "Missing required field Action"},
		{"no resource", st(`"Action":"s3:GetObject"`), "Missing required field Resource"},
		{"action and its opposite", st(`"Action":"s3:GetObject","NotAction":"s3:PutObject","Resource":` + objects),
			"Statement/policy already has instance of Action"},
		{"an account that does not exist", strings.Replace(on(`"s3:GetObject"`, objects), accountA, "999999999999", 1),
			"Invalid principal in policy"},
		{"a user that does not exist", strings.Replace(on(`"s3:GetObject"`, objects), accountA, "arn:aws:iam::"+accountA+":user/none", 1),
			"Invalid principal in policy"},
		{"a wildcard within a principal", strings.Replace(on(`"s3:GetObject"`, objects), accountA, "arn:aws:iam::"+accountA+":user/*", 1),
			"Invalid principal in policy"},
		{"a kind of principal that does not exist", strings.Replace(on(`"s3:GetObject"`, objects), `"AWS"`, `"User"`, 1),
			"Invalid principal in policy"},
		{"an empty principal", strings.Replace(on(`"s3:GetObject"`, objects), `{"AWS":"`+accountA+`"}`, `{}`, 1), "Invalid principal in policy"},
		{"a misspelt action", on(`"s3:GetObjekt"`, objects), "Policy has invalid action"},
		{"an action of another service", on(`"kms:Decrypt"`, objects), "Policy has invalid action"},
		{"an object action on the bucket", on(`"s3:GetObject"`, whole), "Action does not apply to any resource(s) in statement"},
		{"a bucket action on objects", on(`["s3:GetObject","s3:ListBucket"]`, objects), "Action does not apply to any resource(s) in statement"},
		{"an action of the account", on(`"s3:ListAllMyBuckets"`, `[`+whole+`,`+objects+`]`),
			"Action does not apply to any resource(s) in statement"},
		{"another bucket", on(`"s3:GetObject"`, `"arn:aws:s3:::other/*"`), "Policy has invalid resource"},
		{"a bucket that begins the same", on(`"s3:GetObject"`, `"arn:aws:s3:::checked-too/*"`), "Policy has invalid resource"},
		{"any resource", on(`"s3:GetObject"`, `"*"`), "Policy has invalid resource"},
		{"an operator that does not exist", when(`"s3:GetObject"`, objects, `{"StringIs":{"aws:UserAgent":"x"}}`),
			"Invalid Condition type : StringIs"},
		{"a key that does not exist", when(`"s3:GetObject"`, objects, `{"StringEquals":{"s3:Nonsense":"x"}}`),
			"Policy has an invalid condition key"},
		{"a key without a service", when(`"s3:GetObject"`, objects, `{"StringEquals":{"prefix":"x"}}`), "Policy has an invalid condition key"},
		{"a key of another action", when(`"s3:GetObject"`, objects, `{"StringEquals":{"s3:prefix":"x"}}`),
			"Conditions do not apply to combination of actions and resources in statement"},
		{"a key of one of two actions", when(`["s3:GetObject","s3:PutObject"]`, objects, `{"StringEquals":{"s3:x-amz-acl":"private"}}`),
			"Conditions do not apply to combination of actions and resources in statement"},
		{"no address", when(`"s3:GetObject"`, objects, `{"IpAddress":{"aws:SourceIp":"300.1.1.1"}}`), "Invalid IP address in Conditions"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := b.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(c.policy)})
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v\n%s", err, c.policy)
			case c.want != "" && (code(err) != "MalformedPolicy" || status(err) != 400 || message(err) != c.want):
				t.Errorf("got %v, want %q\n%s", err, c.want, c.policy)
			}
		})
	}
}

func TestPolicyStatus(t *testing.T) {
	sb := start(t, sandbox.Options{})
	b := as(t, sb, sb.RootKeys(accountB))
	bucket := aclBucket(t, b, "status", "")
	for principal, want := range map[string]bool{`"*"`: true, `{"AWS":"` + accountA + `"}`: false} {
		must[*s3.PutBucketPolicyOutput](t)(b.s3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:GetObject",` +
				`"Resource":"arn:aws:s3:::status/*"}}`)}))
		out := must[*s3.GetBucketPolicyStatusOutput](t)(b.s3.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{Bucket: bucket}))
		if aws.ToBool(out.PolicyStatus.IsPublic) != want {
			t.Errorf("%s: public is %v", principal, aws.ToBool(out.PolicyStatus.IsPublic))
		}
	}
}
