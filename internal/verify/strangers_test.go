package verify_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// The callers and the calls of this file are written apart from the probes of
// fixproof, so that a gap there shows.
const (
	accountC   = "777788889999"
	bystander  = "Bystander" // a role of account A that other statements name
	orgOfA     = "o-accountsaaa1"
	orgOfOther = "o-strangers00"
	provider   = "oidc.example.com/id/C0FFEE"
	allowAll   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
)

// state is all that decides about a request, as the sandbox holds it.
type state struct {
	bucket, key, trust, boundary string // documents; empty where there is none
	identity                     []string
	public                       *iampolicy.PublicAccessBlock
}

// stateOf reads the policies of both accounts.
func stateOf(t *testing.T, w *testbed.World) state {
	t.Helper()
	ctx, out := t.Context(), state{}
	bucket := aws.String(testbed.Bucket)
	if doc, err := w.S3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket}); absentOr(
		t,
		err,
		"NoSuchBucketPolicy",
		"NoSuchBucket",
	) {
		out.bucket = aws.ToString(doc.Policy)
	}
	if block, err := w.S3.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: bucket}); absentOr(t, err,
		"NoSuchPublicAccessBlockConfiguration", "NoSuchBucket") {
		c := block.PublicAccessBlockConfiguration
		out.public = &iampolicy.PublicAccessBlock{
			BlockPublicPolicy: aws.ToBool(c.BlockPublicPolicy), RestrictPublicBuckets: aws.ToBool(c.RestrictPublicBuckets),
		}
	}
	key, err := w.KeyPolicy(ctx)
	must(t, err)
	out.key = key
	role, err := w.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(testbed.RoleName)})
	must(t, err)
	out.trust = unescaped(t, role.Role.AssumeRolePolicyDocument)
	if b := role.Role.PermissionsBoundary; b != nil {
		out.boundary = managed(t, w, aws.ToString(b.PermissionsBoundaryArn))
	}
	list, err := w.IAM.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: aws.String(testbed.RoleName)})
	must(t, err)
	for _, name := range list.PolicyNames {
		doc, err := w.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: aws.String(testbed.RoleName), PolicyName: aws.String(name)})
		must(t, err)
		out.identity = append(out.identity, unescaped(t, doc.PolicyDocument))
	}
	return out
}

func managed(t *testing.T, w *testbed.World, arn string) string {
	t.Helper()
	p, err := w.IAM.GetPolicy(t.Context(), &iam.GetPolicyInput{PolicyArn: aws.String(arn)})
	must(t, err)
	doc, err := w.IAM.GetPolicyVersion(
		t.Context(),
		&iam.GetPolicyVersionInput{PolicyArn: aws.String(arn), VersionId: p.Policy.DefaultVersionId},
	)
	must(t, err)
	return unescaped(t, doc.PolicyVersion.Document)
}

// absentOr reports whether a call succeeded; the codes are those of "there is none".
func absentOr(t *testing.T, err error, codes ...string) bool {
	t.Helper()
	var api smithy.APIError
	if errors.As(err, &api) && slices.Contains(codes, api.ErrorCode()) {
		return false
	}
	must(t, err)
	return true
}

// addBystanders lets others into whatever there is: their access has to survive a fix.
func addBystanders(t *testing.T, w *testbed.World) {
	t.Helper()
	s := stateOf(t, w)
	role := "arn:aws:iam::" + w.AccountA + ":role/" + bystander
	_, err := w.IAM.CreateRole(
		t.Context(),
		&iam.CreateRoleInput{RoleName: aws.String(bystander), AssumeRolePolicyDocument: aws.String(string(w.Docs.Trust))},
	)
	must(t, err)
	both := fmt.Sprintf(`"Principal":{"AWS":[%q,"arn:aws:iam::%s:root"]}`, role, w.AccountB)
	if s.bucket != "" {
		doc, err := testbed.AddStatement(s.bucket, `{"Sid":"Others","Effect":"Allow",`+both+
			`,"Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::`+testbed.Bucket+`/*"}`)
		must(t, err)
		must(t, w.PutBucketPolicy(t.Context(), doc))
	}
	doc, err := testbed.AddStatement(
		s.key,
		`{"Sid":"Others","Effect":"Allow",`+both+`,"Action":["kms:Decrypt","kms:GenerateDataKey"],"Resource":"*"}`,
	)
	must(t, err)
	must(t, w.PutKeyPolicy(t.Context(), doc))
	doc, err = testbed.AddStatement(
		s.trust,
		fmt.Sprintf(`{"Sid":"Others","Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole"}`, role),
	)
	must(t, err)
	must(t, testbedtest.PutTrust(t.Context(), w, doc))
}

// asker is somebody else's identity.
type asker struct {
	name, principal string
	context         map[string][]string
	policies        string // allowAll, or empty for none
	bounded         bool   // carries the boundary of the role
	shares          bool   // carries the policies of the role
}

func strangers(w *testbed.World) []asker {
	session := func(account, role string) string { return "arn:aws:sts::" + account + ":assumed-role/" + role + "/x" }
	org := func(id string) map[string][]string { return map[string][]string{"aws:PrincipalOrgID": {id}} }
	out := []asker{
		{name: "an anonymous caller", principal: "*"},
		{name: "another role of A", principal: session(w.AccountA, "Zebra"), policies: allowAll, context: org(orgOfA)},
		{name: "another role of A with the boundary of the role", principal: session(w.AccountA, "Zebra"), policies: allowAll, bounded: true},
		{name: "another role of A without a policy", principal: session(w.AccountA, "Zebra")},
		{name: "a role whose name begins alike", principal: session(w.AccountA, testbed.RoleName+"2"), policies: allowAll},
		{name: "the bystander of A", principal: session(w.AccountA, bystander), policies: allowAll},
		{name: "the root user of A", principal: "arn:aws:iam::" + w.AccountA + ":root"},
		{name: "another user of A", principal: "arn:aws:iam::" + w.AccountA + ":user/zoe", policies: allowAll},
		{name: "a role of B", principal: session(w.AccountB, "Zebra"), policies: allowAll, context: org("o-bucketsorg1")},
		{name: "a role of B without a policy", principal: session(w.AccountB, "Zebra")},
		{name: "a role of the same name in C", principal: session(accountC, testbed.RoleName), policies: allowAll, context: org(orgOfOther)},
		{name: "a user of C without an organization", principal: "arn:aws:iam::" + accountC + ":user/mallory", policies: allowAll},
		{name: "a role of C in the organization of A", principal: session(accountC, "Zebra"), policies: allowAll, context: org(orgOfA)},
		{name: "S3's log delivery for C", principal: "logging.s3.amazonaws.com", context: map[string][]string{"aws:SourceAccount": {accountC}}},
		{name: "CloudTrail for C", principal: "cloudtrail.amazonaws.com", context: map[string][]string{"aws:SourceAccount": {accountC}}},
	}
	for _, token := range []struct{ name, sub, aud string }{
		{"another subject", "system:serviceaccount:evil:app", "sts.amazonaws.com"},
		{"another audience", "system:serviceaccount:logs:app", "vault"},
		{"no subject", "", "sts.amazonaws.com"},
	} {
		context := map[string][]string{provider + ":aud": {token.aud}}
		if token.sub != "" {
			context[provider+":sub"] = []string{token.sub}
		}
		out = append(
			out,
			asker{name: "a token of " + token.name, principal: "arn:aws:iam::" + w.AccountA + ":oidc-provider/" + provider, context: context},
		)
	}
	return out
}

// call is one request that an asker makes.
type call struct {
	name, action, resource string
	context                map[string][]string
}

// calls are the requests of strangers; web identities have one of their own.
func calls(w *testbed.World) []call {
	const sse, keyID = "s3:x-amz-server-side-encryption", "s3:x-amz-server-side-encryption-aws-kms-key-id"
	objects := "arn:aws:s3:::" + testbed.Bucket + "/"
	sealed := map[string][]string{sse: {"aws:kms"}, keyID: {w.KeyARN}}
	with := func(base map[string][]string, more ...string) map[string][]string {
		out := maps.Clone(base)
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = []string{more[i+1]}
		}
		return out
	}
	none := map[string][]string{}
	via := map[string][]string{
		"kms:ViaService":                   {"s3." + w.Dest.Region + ".amazonaws.com"},
		"kms:EncryptionContext:aws:s3:arn": {"arn:aws:s3:::" + testbed.Bucket},
	}
	return []call{
		{"puts an object as the daemon does", "s3:PutObject", objects + "logs/x", sealed},
		{"puts an object without a header", "s3:PutObject", objects + "logs/x", none},
		{"puts an object with SSE-S3", "s3:PutObject", objects + "logs/x", with(none, sse, "AES256")},
		{"puts an object under aws/s3", "s3:PutObject", objects + "logs/x", with(none, sse, "aws:kms")},
		{
			"puts an object under another key",
			"s3:PutObject",
			objects + "logs/x",
			with(sealed, keyID, "arn:aws:kms:eu-west-1:"+accountC+":key/other"),
		},
		{"puts an object over plain HTTP", "s3:PutObject", objects + "logs/x", with(sealed, "aws:SecureTransport", "false")},
		{"puts an object from another network", "s3:PutObject", objects + "logs/x", with(sealed, "aws:SourceIp", "203.0.113.7")},
		{"puts an object through an endpoint", "s3:PutObject", objects + "logs/x", with(sealed, "aws:SourceVpce", "vpce-0a")},
		{"puts an object with an ACL", "s3:PutObject", objects + "logs/x", with(sealed, "s3:x-amz-acl", "bucket-owner-full-control")},
		{"puts an object below another prefix", "s3:PutObject", objects + "payroll/x", sealed},
		{"reads an object", "s3:GetObject", objects + "logs/x", none},
		{"reads an object below another prefix", "s3:GetObject", objects + "public/x", none},
		{"deletes an object", "s3:DeleteObject", objects + "logs/x", none},
		{"lists the bucket", "s3:ListBucket", strings.TrimSuffix(objects, "/"), none},
		{"writes the bucket policy", "s3:PutBucketPolicy", strings.TrimSuffix(objects, "/"), none},
		{"asks for a data key through S3", "kms:GenerateDataKey", w.KeyARN, via},
		{
			"asks for a data key through S3 of another Region",
			"kms:GenerateDataKey",
			w.KeyARN,
			with(via, "kms:ViaService", "s3.us-east-1.amazonaws.com"),
		},
		{
			"asks for a data key for another bucket",
			"kms:GenerateDataKey",
			w.KeyARN,
			with(via, "kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::other"),
		},
		{"asks for a data key directly", "kms:GenerateDataKey", w.KeyARN, none},
		{"decrypts through S3", "kms:Decrypt", w.KeyARN, via},
		{"decrypts directly", "kms:Decrypt", w.KeyARN, none},
		{"deletes the key", "kms:ScheduleKeyDeletion", w.KeyARN, none},
		{"assumes the role", "sts:AssumeRole", w.Dest.Role, none},
		{"assumes the role with an external id", "sts:AssumeRole", w.Dest.Role, with(none, "sts:ExternalId", "agreed")},
		{"assumes the role with another external id", "sts:AssumeRole", w.Dest.Role, with(none, "sts:ExternalId", "other")},
		{"tags a session of the role", "sts:TagSession", w.Dest.Role, none},
		{"assumes the role with a token", "sts:AssumeRoleWithWebIdentity", w.Dest.Role, none},
	}
}

// ownCalls are requests of the role, and of the daemon's own user, that no fix may let
// through either: the delivery does not need them.
func ownCalls(w *testbed.World) (role, user []call) {
	for _, c := range calls(w) {
		switch {
		case strings.Contains(c.name, "plain HTTP"), strings.Contains(c.name, "another bucket"),
			c.action == "s3:DeleteObject", c.action == "s3:GetObject", c.action == "s3:PutBucketPolicy", c.action == "s3:ListBucket",
			c.action == "kms:ScheduleKeyDeletion":
			role = append(role, c)
		case c.name == "assumes the role with another external id":
			user = append(user, c)
		}
	}
	return role, user
}

// decide evaluates one call of one asker.
func (s state) decide(t *testing.T, w *testbed.World, who asker, what call) iampolicy.Decision {
	t.Helper()
	sc := iampolicy.Scenario{Request: iampolicy.Request{
		Principal: who.principal, Action: what.action, Resource: what.resource,
		Context: map[string][]string{"aws:SecureTransport": {"true"}, "aws:SourceIp": {"192.0.2.9"}},
	}}
	maps.Copy(sc.Request.Context, who.context)
	maps.Copy(sc.Request.Context, what.context)
	document, account := "", w.AccountB
	switch {
	case strings.HasPrefix(what.action, "s3:"):
		document, sc.PublicAccessBlock = s.bucket, s.public
		sc.Request.Context["s3:TlsVersion"] = []string{"1.3"}
		sc.Request.Context["s3:signatureversion"] = []string{"AWS4-HMAC-SHA256"}
	case strings.HasPrefix(what.action, "kms:"):
		document = s.key
	default:
		document, account = s.trust, w.AccountA
	}
	sc.Request.ResourceAccount = account
	if document != "" {
		sc.Policies.Resource = parsed(t, document)
	}
	if who.policies != "" {
		sc.Policies.Identity = append(sc.Policies.Identity, iampolicy.NamedPolicy{Name: "own", Policy: parsed(t, who.policies)})
	}
	if who.shares {
		for _, doc := range s.identity {
			sc.Policies.Identity = append(sc.Policies.Identity, iampolicy.NamedPolicy{Policy: parsed(t, doc)})
		}
	}
	if who.bounded && s.boundary != "" {
		sc.Policies.Boundary = []iampolicy.NamedPolicy{{Name: "boundary", Policy: parsed(t, s.boundary)}}
	}
	return iampolicy.Evaluate(sc).Decision
}

func parsed(t *testing.T, doc string) *iampolicy.Document {
	t.Helper()
	out, err := iampolicy.Parse([]byte(doc))
	must(t, err)
	return out
}

// compareStates reports every stranger whose answer is another one in after.
func compareStates(t *testing.T, w *testbed.World, change string, before, after state) (compared int) {
	t.Helper()
	check := func(who asker, what call, onlyOpenings bool) {
		compared++
		b, a := before.decide(t, w, who, what) == iampolicy.Allowed, after.decide(t, w, who, what) == iampolicy.Allowed
		switch {
		case a && !b:
			t.Errorf("%s\nlets in: %s %s", change, who.name, what.name)
		case b && !a && strings.Contains(change, "AWS services that read by it for other accounts lose that access") &&
			strings.HasSuffix(who.principal, ".amazonaws.com"):
			// The fix says so.
		case b && !a && !onlyOpenings:
			t.Errorf("%s\nlocks out: %s %s", change, who.name, what.name)
		}
	}
	for _, who := range strangers(w) {
		for _, what := range calls(w) {
			token, web := strings.Contains(who.principal, "-provider/"), strings.HasSuffix(what.action, "WithWebIdentity")
			if token != web || who.principal == "*" && !strings.HasPrefix(what.action, "s3:") {
				continue
			}
			check(who, what, false)
		}
	}
	role, user := ownCalls(w)
	for _, what := range role {
		if strings.HasSuffix(what.name, "plain HTTP") && !strings.Contains(before.bucket, "aws:SecureTransport") {
			continue // no policy has asked for TLS
		}
		check(
			asker{
				name:      "the role",
				principal: "arn:aws:sts::" + w.AccountA + ":assumed-role/" + testbed.RoleName + "/brokerd",
				shares:    true,
				bounded:   true,
			},
			what,
			true,
		)
	}
	if !strings.Contains(before.trust, "sts:ExternalId") || w.Dest.Session.ExternalID == "other" {
		user = nil // no external id was asked for, or this one is configured
	}
	for _, what := range user {
		check(asker{name: "the daemon's user", principal: w.UserARN, policies: allowAll}, what, true)
	}
	return compared
}
