package sandbox_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// stsWorld is an account with a user that may assume the roles of it.
type stsWorld struct {
	t    testing.TB
	sb   *sandbox.Sandbox
	root *clients
	app  *clients
}

const assumeAll = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession",` +
	`"sts:SetSourceIdentity","s3:ListAllMyBuckets"],"Resource":"*"}}`

func newSTSWorld(t testing.TB) *stsWorld {
	t.Helper()
	sb := start(t, sandbox.Options{})
	root := as(t, sb, sb.RootKeys(accountA))
	return &stsWorld{t, sb, root, newUser(t, root, "app", assumeAll)}
}

// role makes a role with one inline policy.
func (w *stsWorld) role(name, trust, doc string) (arn string) {
	w.t.Helper()
	arn = createRole(w.t, w.root, name, trust)
	must[*iam.PutRolePolicyOutput](w.t)(
		w.root.iam.PutRolePolicy(w.t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: aws.String("inline"), PolicyDocument: &doc}),
	)
	return arn
}

func (w *stsWorld) assume(by *clients, in *sts.AssumeRoleInput) *clients {
	w.t.Helper()
	if in.RoleSessionName == nil {
		in.RoleSessionName = aws.String("session")
	}
	return as(w.t, w.sb, sessionOf(must[*sts.AssumeRoleOutput](w.t)(by.sts.AssumeRole(w.t.Context(), in))))
}

func tagsOf(pairs ...string) (tags []ststypes.Tag) {
	for p := range slices.Chunk(pairs, 2) {
		tags = append(tags, ststypes.Tag{Key: &p[0], Value: &p[1]})
	}
	return tags
}

// onTag lets a call through when a session tag has a value, or assume again.
func onTag(key, value string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/%s":%q}}},
		{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":"*"}]}`, key, value)
}

func TestSessionTagsDecide(t *testing.T) {
	w := newSTSWorld(t)
	first := w.role("first", anyoneIn(accountA), onTag("tenant", "7"))
	second := w.role("second", anyoneIn(accountA), onTag("tenant", "7"))
	in := func(role string, tags ...string) *sts.AssumeRoleInput {
		return &sts.AssumeRoleInput{RoleArn: &role, Tags: tagsOf(tags...)}
	}
	for name, row := range map[string]struct {
		tags []string
		want bool
	}{"with the tag": {[]string{"tenant", "7"}, true}, "another value": {[]string{"tenant", "8"}, false}, "without": {nil, false}} {
		if got := mayList(t, w.assume(w.app, in(first, row.tags...))); got != row.want {
			t.Errorf("%s: allowed is %v", name, got)
		}
	}
	// Only transitive tags go on to the next role.
	plain := w.assume(w.app, in(first, "tenant", "7"))
	if mayList(t, w.assume(plain, in(second))) {
		t.Error("a tag that is not transitive went on")
	}
	passing := in(first, "tenant", "7")
	passing.TransitiveTagKeys = []string{"Tenant"}
	passed := w.assume(w.app, passing)
	chained := w.assume(passed, in(second))
	if !mayList(t, chained) {
		t.Error("a transitive tag did not go on")
	}
	if !mayList(t, w.assume(chained, in(first))) {
		t.Error("a transitive tag went on once only")
	}
	untagged := w.role("untagged", strings.ReplaceAll(anyoneIn(accountA), `,"sts:TagSession"`, ""), onTag("tenant", "7"))
	if _, err := passed.sts.AssumeRole(t.Context(),
		&sts.AssumeRoleInput{RoleArn: &untagged, RoleSessionName: aws.String("untagged")}); code(err) != "AccessDenied" ||
		!strings.Contains(message(err), "sts:TagSession") {
		t.Errorf("a tag that is passed on to a role that takes none: %v", err)
	}
	again := in(second, "TENANT", "8")
	again.RoleSessionName = aws.String("again")
	if _, err := passed.sts.AssumeRole(t.Context(), again); code(err) != "InvalidParameterValue" ||
		!strings.Contains(message(err), "conflicts with a transitive tag key from the calling session") {
		t.Errorf("a transitive tag set again: %v", err)
	}
	for name, row := range map[string]struct {
		in   *sts.AssumeRoleInput
		code string
		text string
	}{
		"twice": {in(first, "a", "1", "A", "2"), "InvalidParameterValue",
			"Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		"transitive without a tag": {&sts.AssumeRoleInput{RoleArn: &first, TransitiveTagKeys: []string{"tenant"}}, "InvalidParameterValue",
			"The specified transitive tag key must be included in the requested tags."},
		"more than a session holds": {in(first, slices.Repeat([]string{"k", "v"}, 51)...), "ValidationError",
			"Member must have length less than or equal to 50"},
	} {
		row.in.RoleSessionName = aws.String("refused")
		if _, err := w.app.sts.AssumeRole(t.Context(), row.in); code(err) != row.code || !strings.Contains(message(err), row.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTrustPoliciesDecideOnTags(t *testing.T) {
	w := newSTSWorld(t)
	arn := w.role("tenants", fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:TagSession","Condition":{"StringEquals":{"aws:RequestTag/tenant":"7"},
		"ForAllValues:StringEquals":{"aws:TagKeys":["tenant"],"sts:TransitiveTagKeys":["tenant"]}}}]}`, accountA, accountA), assumeAll)
	for name, row := range map[string]struct {
		tags []string
		code string
	}{"no tags": {nil, ""}, "the tag": {[]string{"tenant", "7"}, ""}, "another value": {[]string{"tenant", "8"}, "AccessDenied"},
		"one more": {[]string{"tenant", "7", "more", "1"}, "AccessDenied"}} {
		in := &sts.AssumeRoleInput{RoleArn: &arn, RoleSessionName: aws.String("session"), Tags: tagsOf(row.tags...)}
		if _, err := w.app.sts.AssumeRole(t.Context(), in); code(err) != row.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSourceIdentityStays(t *testing.T) {
	w := newSTSWorld(t)
	doc := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*","Condition":{"StringEquals":{"aws:SourceIdentity":"alice"}}},
		{"Effect":"Allow","Action":["sts:AssumeRole","sts:SetSourceIdentity"],"Resource":"*"}]}`
	first, second := w.role("first", anyoneIn(accountA), doc), w.role("second", anyoneIn(accountA), doc)
	if mayList(t, w.assume(w.app, &sts.AssumeRoleInput{RoleArn: &first})) {
		t.Error("allowed without a source identity")
	}
	alice := w.assume(w.app, &sts.AssumeRoleInput{RoleArn: &first, SourceIdentity: aws.String("alice")})
	if !mayList(t, alice) {
		t.Error("denied with the source identity")
	}
	if !mayList(t, w.assume(alice, &sts.AssumeRoleInput{RoleArn: &second})) {
		t.Error("the source identity did not go on")
	}
	if _, err := alice.sts.AssumeRole(t.Context(),
		&sts.AssumeRoleInput{RoleArn: &second, RoleSessionName: aws.String("bob"),
			SourceIdentity: aws.String("bob")}); code(err) != "AccessDenied" {
		t.Errorf("another source identity in the chain: %v", err)
	}
	// The trust policy has to allow it.
	closed := w.role(
		"closed", fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole"}}`,
			accountA), doc,
	)
	if _, err := w.app.sts.AssumeRole(t.Context(),
		&sts.AssumeRoleInput{RoleArn: &closed, RoleSessionName: aws.String("alice"),
			SourceIdentity: aws.String("alice")}); code(err) != "AccessDenied" || !strings.Contains(message(err), "sts:SetSourceIdentity") {
		t.Errorf("a trust policy without sts:SetSourceIdentity: %v", err)
	}
}

func TestSessionPoliciesNarrow(t *testing.T) {
	w := newSTSWorld(t)
	arn := w.role("wide", anyoneIn(accountA), allow("s3:ListAllMyBuckets", "*"))
	list := createPolicy(t, w.root, "list", allow("s3:ListAllMyBuckets", "*"))
	other := createPolicy(t, w.root, "other", allow("kms:*", "*"))
	by := func(arns ...string) (out []ststypes.PolicyDescriptorType) {
		for _, a := range arns {
			out = append(out, ststypes.PolicyDescriptorType{Arn: &a})
		}
		return out
	}
	for name, row := range map[string]struct {
		in   sts.AssumeRoleInput
		want bool
	}{
		"none":                         {sts.AssumeRoleInput{}, true},
		"inline that allows":           {sts.AssumeRoleInput{Policy: aws.String(allow("s3:*", "*"))}, true},
		"inline that does not":         {sts.AssumeRoleInput{Policy: aws.String(allow("kms:*", "*"))}, false},
		"managed that allows":          {sts.AssumeRoleInput{PolicyArns: by(list)}, true},
		"managed that does not":        {sts.AssumeRoleInput{PolicyArns: by(other)}, false},
		"one of two managed":           {sts.AssumeRoleInput{PolicyArns: by(other, list)}, true},
		"managed beside inline":        {sts.AssumeRoleInput{PolicyArns: by(list), Policy: aws.String(allow("kms:*", "*"))}, true},
		"inline denies what a managed": {sts.AssumeRoleInput{PolicyArns: by(list), Policy: aws.String(statement("Deny", "s3:*", "*"))}, false},
	} {
		row.in.RoleArn = &arn
		if got := mayList(t, w.assume(w.app, &row.in)); got != row.want {
			t.Errorf("%s: allowed is %v", name, got)
		}
	}
	for name, row := range map[string]struct {
		in   sts.AssumeRoleInput
		code string
	}{
		"not JSON":         {sts.AssumeRoleInput{Policy: aws.String("{")}, "MalformedPolicyDocument"},
		"with a principal": {sts.AssumeRoleInput{Policy: aws.String(bucketPolicy("*"))}, "MalformedPolicyDocument"},
		"too long": {sts.AssumeRoleInput{Policy: aws.String(allow("s3:*", "arn:aws:s3:::"+strings.Repeat("b", 2048)))},
			"PackedPolicyTooLarge"},
		"eleven managed policies": {sts.AssumeRoleInput{PolicyArns: by(slices.Repeat([]string{list}, 11)...)}, "ValidationError"},
	} {
		row.in.RoleArn, row.in.RoleSessionName = &arn, aws.String("refused")
		if _, err := w.app.sts.AssumeRole(t.Context(), &row.in); code(err) != row.code || status(err) != 400 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAChainLastsAnHour(t *testing.T) {
	w := newSTSWorld(t)
	first, second := w.role("first", anyoneIn(accountA), assumeAll), w.role("second", anyoneIn(accountA), assumeAll)
	for _, name := range []string{"first", "second"} {
		must[*iam.UpdateRoleOutput](t)(
			w.root.iam.UpdateRole(t.Context(), &iam.UpdateRoleInput{RoleName: aws.String(name), MaxSessionDuration: aws.Int32(43200)}),
		)
	}
	chained := w.assume(w.app, &sts.AssumeRoleInput{RoleArn: &first, DurationSeconds: aws.Int32(43200)})
	in := &sts.AssumeRoleInput{RoleArn: &second, RoleSessionName: aws.String("second"), DurationSeconds: aws.Int32(3601)}
	if _, err := chained.sts.AssumeRole(t.Context(), in); code(err) != "ValidationError" ||
		message(err) != "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining." {
		t.Errorf("more than an hour: %v", err)
	}
	in.DurationSeconds = nil
	out := must[*sts.AssumeRoleOutput](t)(chained.sts.AssumeRole(t.Context(), in))
	if left := time.Until(*out.Credentials.Expiration); left > time.Hour || left < 59*time.Minute {
		t.Errorf("%v left", left)
	}
}

func TestGetSessionToken(t *testing.T) {
	w := newSTSWorld(t)
	ctx := t.Context()
	out := must[*sts.GetSessionTokenOutput](t)(
		w.app.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(900)}),
	).Credentials
	if left := time.Until(*out.Expiration); left > 15*time.Minute || left < 14*time.Minute {
		t.Errorf("%v left", left)
	}
	temp := as(t, w.sb, sandbox.Credentials{
		AccessKeyID: *out.AccessKeyId, SecretAccessKey: *out.SecretAccessKey, SessionToken: *out.SessionToken,
	})
	if who := must[*sts.GetCallerIdentityOutput](t)(
		temp.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}),
	); *who.Arn != "arn:aws:iam::"+accountA+":user/app" {
		t.Errorf("the keys are %s's", *who.Arn)
	}
	if !mayList(t, temp) {
		t.Error("the keys lack the user's permissions")
	}
	arn := w.role("role", anyoneIn(accountA), assumeAll)
	session := w.assume(temp, &sts.AssumeRoleInput{RoleArn: &arn, DurationSeconds: aws.Int32(3600)})
	for name, err := range map[string]error{
		"IAM": func() error { _, err := temp.iam.ListUsers(ctx, &iam.ListUsersInput{}); return err }(),
		"GetSessionToken again": func() error {
			_, err := temp.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{})
			return err
		}(),
		"GetSessionToken of a role": func() error {
			_, err := session.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{})
			return err
		}(),
	} {
		if code(err) != "AccessDenied" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.app.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{
		DurationSeconds: aws.Int32(129601),
	}); code(err) != "ValidationError" {
		t.Errorf("more than 36 hours: %v", err)
	}
	if _, err := w.app.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{
		SerialNumber: aws.String("arn:aws:iam::1:mfa/x"), TokenCode: aws.String("123456"),
	}); code(err) != "NotImplemented" {
		t.Errorf("with MFA: %v", err)
	}
	root := must[*sts.GetSessionTokenOutput](t)(
		w.root.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(7200)}),
	).Credentials
	if left := time.Until(*root.Expiration); left > time.Hour {
		t.Errorf("root's session lasts %v", left)
	}
}

func TestGetAccessKeyInfo(t *testing.T) {
	w := newSTSWorld(t)
	ctx := t.Context()
	rootB := w.sb.RootKeys(accountB).AccessKeyID
	if _, err := w.app.sts.GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: &rootB}); code(err) != "AccessDenied" {
		t.Errorf("without the right: %v", err)
	}
	if got := must[*sts.GetAccessKeyInfoOutput](t)(
		w.root.sts.GetAccessKeyInfo(ctx, &sts.GetAccessKeyInfoInput{AccessKeyId: &rootB}),
	); *got.Account != accountB {
		t.Errorf("the key of account B is of %s", *got.Account)
	}
	if _, err := w.root.sts.GetAccessKeyInfo(ctx,
		&sts.GetAccessKeyInfoInput{AccessKeyId: aws.String("AKIA000000000000")}); code(err) != "ValidationError" {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestPermissionsOfASessionChangeWithItsRole(t *testing.T) {
	w := newSTSWorld(t)
	arn := w.role("role", anyoneIn(accountA), allow("s3:ListAllMyBuckets", "*"))
	session := w.assume(w.app, &sts.AssumeRoleInput{RoleArn: &arn})
	if !mayList(t, session) {
		t.Error("denied at first")
	}
	must[*iam.DeleteRolePolicyOutput](t)(
		w.root.iam.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: aws.String("role"), PolicyName: aws.String("inline")}),
	)
	if _, err := session.s3.ListBuckets(t.Context(), &s3.ListBucketsInput{}); code(err) != "AccessDenied" {
		t.Errorf("after the role lost its policy: %v", err)
	}
}
