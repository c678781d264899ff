package awsaccounts_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/testbed"
)

// The statements of people who were there before.
const (
	theirBucketPolicy = `{"Version":"2012-10-17","Id":"theirs","Statement":{"Sid":"Readers","Effect":"Allow",` +
		`"Principal":{"AWS":"arn:aws:iam::ACCOUNT_B:root"},"Action":["s3:GetObject"],"Resource":"arn:aws:s3:::tenant-s3-test-bucket/*"}}`
	theirKeyPolicy = "{\n  \"Version\": \"2012-10-17\",\n  \"Id\": \"key\",\n  \"Statement\": [\n    {\n      \"Sid\": \"Enable IAM User " +
		"Permissions\",\n      \"Effect\": \"Allow\",\n      \"Principal\": {\n        \"AWS\": \"arn:aws:iam::ACCOUNT_B:root\"\n      },\n" +
		"      \"Action\": \"kms:*\",\n      \"Resource\": \"*\"\n    }\n  ]\n}"
	theirTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},` +
		`"Action":"sts:AssumeRole"}]}`
	theirInline = `{"Version":"2012-10-17","Statement":[{"Sid":"Metrics","Effect":"Allow","Action":"cloudwatch:PutMetricData",` +
		`"Resource":"*"}]}`
)

// inhabited puts other people's role, bucket and policies where ours will go.
func (w *world) inhabited(t *testing.T) {
	t.Helper()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fill := func(doc string) *string {
		return aws.String(strings.ReplaceAll(doc, "ACCOUNT_B", w.Sandbox.AccountB()))
	}
	ctx, role, bucket := t.Context(), aws.String(testbed.RoleName), aws.String(testbed.Bucket)
	must(w.IAM.CreateRole(ctx, &iam.CreateRoleInput{RoleName: role, AssumeRolePolicyDocument: fill(theirTrust)}))
	must(
		w.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role, PolicyName: aws.String("theirs"), PolicyDocument: fill(theirInline)}),
	)
	must(
		w.S3.CreateBucket(ctx, &s3.CreateBucketInput{
			Bucket:                    bucket,
			CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(w.Sandbox.Region())},
		}),
	)
	must(w.S3.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: fill(theirBucketPolicy)}))
	must(w.S3.PutBucketLifecycleConfiguration(ctx,
		&s3.PutBucketLifecycleConfigurationInput{Bucket: bucket,
			LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{
				{ID: aws.String("expire"), Status: types.ExpirationStatusEnabled,
					Filter: &types.LifecycleRuleFilter{
						And: &types.LifecycleRuleAndOperator{Prefix: aws.String("tmp/"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}},
					}, Expiration: &types.LifecycleExpiration{Days: aws.Int32(30)}},
			}}}))
	must(w.KMS.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(w.KeyARN), Policy: fill(theirKeyPolicy)}))
}

// documents are all texts of the arrangement as they are stored.
func (w *world) documents(t *testing.T, cfg *config.Config) map[string]string {
	t.Helper()
	snap, err := w.connect(t).Read(t.Context(), setup.ScopeOf(cfg))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for arn, id := range snap.Identities {
		out["trust of "+arn] = id.Trust.Value
		for _, d := range id.Inline.Value {
			out["inline policy "+d.Name+" of "+arn] = d.Text
		}
	}
	for name, b := range snap.Buckets {
		out["policy of "+name] = b.Policy.Value
		for _, r := range b.Lifecycle.Value {
			out["lifecycle rule "+r.ID+" of "+name] = string(r.Raw)
		}
	}
	for arn, k := range snap.Keys {
		out["policy of "+arn] = k.Policy.Value
	}
	return out
}

func TestOverOtherPeoplesPolicies(t *testing.T) {
	w := newWorld(t)
	w.inhabited(t)
	cfg, a := w.config(t), w.connect(t)
	before := w.documents(t, cfg)

	p := w.plan(t, a, cfg, setup.PlanOptions{})
	if p.Proven() != setup.Holds || len(p.Unknown()) > 0 {
		t.Fatalf("%+v", p.Proof)
	}
	foreign := 0
	for _, c := range p.Changes {
		for _, s := range c.Statements {
			if s.Op == setup.StatementForeign {
				foreign++
			}
			if s.Sid == setup.SidKeyAdmin {
				t.Error("the account's hold on its key is there already, in the owner's words")
			}
		}
	}
	if foreign != 3 {
		t.Errorf("%d statements of others were seen, want 3", foreign)
	}
	w.apply(t, a, p)
	w.verified(t, cfg)
	for name, text := range w.documents(t, cfg) {
		was, ok := before[name]
		if ok && strings.HasPrefix(name, "policy of tenant") {
			was = strings.TrimSuffix(was[strings.Index(was, `"Statement":`)+12:], "}") // the statement that stood alone
		} else if ok && strings.Contains(was, "Statement") {
			was = strings.Trim(was[strings.Index(was, `"Statement":`)+12:], " []\n}")
		}
		if ok && !strings.Contains(text, was) {
			t.Errorf("%s was\n%s\nand is\n%s", name, before[name], text)
		}
	}
	if p := w.plan(t, a, cfg, setup.PlanOptions{}); p.Pending() {
		t.Errorf("a second plan has something to do: %+v", p.Changes)
	}

	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{Remove: true}))
	if d := cmp.Diff(before, w.documents(t, cfg)); d != "" {
		t.Errorf("after remove: %s", d)
	}
	if p := w.plan(t, a, cfg, setup.PlanOptions{Remove: true}); p.Pending() {
		t.Errorf("a second removal has something to do: %+v", p.Changes)
	}
}

func TestRemoveTakesOutOneDestinationOfTwo(t *testing.T) {
	w := newWorld(t)
	stanza := strings.NewReplacer("A", w.Sandbox.AccountA(), "B", w.Sandbox.AccountB(), "KEY", w.KeyARN, "REGION",
		w.Sandbox.Region()).Replace(`  metrics:
    role: arn:aws:iam::A:role/CrossAccountS3Uploader
    bucket: tenant-s3-test-bucket
    owner: "B"
    region: REGION
    kms_key: KEY
    key: metrics/{name}-{id}
    path_style: true
`)
	one, both, a := w.config(t), w.config(t, second(stanza)...), w.connect(t)
	w.apply(t, a, w.plan(t, a, one, setup.PlanOptions{}))
	before := w.documents(t, one)
	w.apply(t, a, w.plan(t, a, both, setup.PlanOptions{}))
	w.verified(t, both)
	w.apply(t, a, w.plan(t, a, both, setup.PlanOptions{Remove: true, Destinations: []string{"metrics"}}))
	if d := cmp.Diff(before, w.documents(t, one)); d != "" {
		t.Error(d)
	}
	w.verified(t, one)
	w.apply(t, a, w.plan(t, a, both, setup.PlanOptions{}))
	w.apply(t, a, w.plan(t, a, both, setup.PlanOptions{Remove: true, Destinations: []string{"audit-logs"}}))
	report := w.verify(t, both)
	if report["metrics"].Result() != "pass" || report["audit-logs"].Result() == "pass" {
		t.Errorf("metrics %s, audit-logs %s", report["metrics"].Result(), report["audit-logs"].Result())
	}
	w.apply(t, a, w.plan(t, a, both, setup.PlanOptions{Remove: true}))
	for name, text := range w.documents(t, both) {
		if strings.Contains(text, "Brokerd") && !strings.Contains(name, ":key/") {
			t.Errorf("%s still holds a statement of ours: %s", name, text)
		}
	}
}

func TestARoleThatSetupMadeGoesWithIt(t *testing.T) {
	w := newWorld(t)
	cfg, a := w.config(t), w.connect(t)
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{Remove: true}))
	if _, err := w.IAM.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String(testbed.RoleName)}); err == nil {
		t.Error("the role is still there")
	}
	// A role with another policy stays.
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
	if _, err := w.IAM.PutRolePolicy(t.Context(),
		&iam.PutRolePolicyInput{RoleName: aws.String(testbed.RoleName), PolicyName: aws.String("theirs"),
			PolicyDocument: aws.String(theirInline)}); err != nil {
		t.Fatal(err)
	}
	p := w.plan(t, a, cfg, setup.PlanOptions{Remove: true})
	if c := p.Change(setup.KindTrust, cfg.Destinations["audit-logs"].Role); c == nil || c.Op != setup.OpKeep || c.Reason == "" {
		t.Errorf("%+v", c)
	}
	w.apply(t, a, p)
	if _, err := w.IAM.GetRolePolicy(t.Context(),
		&iam.GetRolePolicyInput{RoleName: aws.String(testbed.RoleName), PolicyName: aws.String("theirs")}); err != nil {
		t.Error(err)
	}
}

func TestARoleThatWasMadeAnewIsLetInAgain(t *testing.T) {
	w := newWorld(t)
	cfg, a := w.config(t), w.connect(t)
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
	if err := w.Sandbox.DeleteRole(cfg.Destinations["audit-logs"].Role); err != nil {
		t.Fatal(err)
	}
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	stale := map[setup.Kind]bool{}
	for _, warning := range p.Warnings {
		if warning.Code == setup.WarnStalePrincipal {
			stale[warning.Kind] = true
		}
	}
	if !stale[setup.KindBucket] || !stale[setup.KindKey] {
		t.Errorf("warnings: %+v", p.Warnings)
	}
	w.apply(t, a, p)
	w.verified(t, cfg)
	if p := w.plan(t, a, cfg, setup.PlanOptions{}); p.Pending() || len(p.Warnings) > 0 {
		t.Errorf("pending %v, warnings %+v", p.Pending(), p.Warnings)
	}
}

func TestEachHalfAlone(t *testing.T) {
	w := newWorld(t)
	cfg := w.config(t)
	source, target := w.connect(t, w.Sandbox.AccountA()), w.connect(t, w.Sandbox.AccountB())
	p := w.plan(t, source, cfg, setup.PlanOptions{})
	if d := cmp.Diff([]string{w.Sandbox.AccountB()}, p.Unreached); d != "" || p.Proven() != setup.Holds {
		t.Errorf("%s %+v", d, p.Proof)
	}
	handed := map[setup.Kind]bool{}
	for _, c := range p.Changes {
		if c.Account == w.Sandbox.AccountB() {
			if c.Op != setup.OpHandOver {
				t.Errorf("%s of account B: %s", c.Kind, c.Op)
			}
			handed[c.Kind] = true
		}
	}
	for _, k := range []setup.Kind{setup.KindBucket, setup.KindKey, setup.KindOwnership, setup.KindPublicBlock, setup.KindEncryption,
		setup.KindLifecycle} {
		if !handed[k] {
			t.Errorf("%s is not handed over", k)
		}
	}
	w.apply(t, source, p)
	q := w.plan(t, target, cfg, setup.PlanOptions{})
	for _, c := range q.Changes {
		if c.Account == w.Sandbox.AccountA() && c.Op != setup.OpHandOver {
			t.Errorf("%s of account A: %s", c.Kind, c.Op)
		}
	}
	w.apply(t, target, q)
	w.verified(t, cfg)
	for _, a := range []*awsaccounts.Accounts{source, target} {
		if p := w.plan(t, a, cfg, setup.PlanOptions{}); p.Pending() {
			t.Error("a half that is done has something to do")
		}
	}
}

func TestSharedKeyPolicyIsNotClosedAgainstItsOwner(t *testing.T) {
	w := newWorld(t)
	cfg, a := w.config(t), w.connect(t)
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{Remove: true}))
	text, err := w.KeyPolicy(t.Context())
	if err != nil || !strings.Contains(text, ":root") {
		t.Errorf("%v: nobody can administer the key any more: %s", err, text)
	}
}

// A plan for one destination does not set another one up, and does not take
// anything from one that is.
func TestADestinationThatNobodyAskedForIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	stanza := strings.Replace(second2(w), "CrossAccountS3Uploader", "Another", 1)
	both, a := w.config(t, second(stanza)...), w.connect(t)
	w.apply(t, a, w.plan(t, a, both, setup.PlanOptions{Destinations: []string{"metrics"}}))
	report := w.verify(t, both)
	if report["metrics"].Result() != "pass" || report["audit-logs"].Result() == "pass" {
		t.Errorf("metrics %s, audit-logs %s", report["metrics"].Result(), report["audit-logs"].Result())
	}
	for what, text := range w.documents(t, both) {
		if strings.Contains(text, "AuditLogs") || strings.Contains(what, "uploads-audit-logs") {
			t.Errorf("%s: %s", what, text)
		}
	}
	w.apply(t, a, w.plan(t, a, both, setup.PlanOptions{Destinations: []string{"audit-logs"}}))
	w.verified(t, both)
	w.apply(t, a, w.plan(t, a, both, setup.PlanOptions{Destinations: []string{"audit-logs"}, Remove: true}))
	report = w.verify(t, both)
	if report["metrics"].Result() != "pass" || report["audit-logs"].Result() == "pass" {
		t.Errorf("metrics %s, audit-logs %s", report["metrics"].Result(), report["audit-logs"].Result())
	}
	if p := w.plan(t, a, both, setup.PlanOptions{Destinations: []string{"metrics"}}); p.Pending() {
		t.Errorf("%+v", p.Changes)
	}
}
