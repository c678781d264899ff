package awsaccounts_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// written are the operations of an apply that change something, in order.
var written = []string{
	"iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:PutRolePolicy", "s3:PutPublicAccessBlock", "s3:PutBucketOwnershipControls",
	"kms:PutKeyPolicy", "s3:PutBucketEncryption", "s3:PutBucketLifecycleConfiguration", "s3:PutBucketPolicy",
}

// Whichever call fails, and however: foreign statements stay, no principal gets more than
// the states before and after allow, and a second run completes.
func TestAFailureAtAnyWriteIsFinishedByAnotherRun(t *testing.T) {
	for _, start := range []string{"nothing", "inhabited"} {
		for _, op := range append([]string{"s3:CreateBucket"}, written...) {
			for name, fault := range map[string]sandbox.Fault{
				"refused":     {Operation: op, Code: "AccessDenied", Status: 403, Times: 1},
				"lost answer": {Operation: op, Reset: sandbox.ResetBeforeResponse, Times: 1},
			} {
				t.Run(start+"/"+op+"/"+name, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					if start == "inhabited" {
						w.inhabited(t)
					}
					cfg, a := w.config(t), w.connect(t)
					before := w.documents(t, cfg)
					p := w.plan(t, a, cfg, setup.PlanOptions{})
					w.Sandbox.SetFaults([]sandbox.Fault{fault})
					out, err := a.Apply(t.Context(), p, awsaccounts.ApplyOptions{
						Backup: filepath.Join(t.TempDir(), "b"), Every: time.Millisecond, Wait: time.Second,
					})
					w.Sandbox.SetFaults(nil)
					if err != nil && (out.Failed == nil || !strings.Contains(err.Error(), string(out.Failed.Kind))) {
						t.Errorf("the error does not say where it stopped: %v", err)
					}
					if err == nil && out.Failed != nil {
						t.Error("failed without an error")
					}
					for what, text := range w.documents(t, cfg) {
						if was := before[what]; was != "" && !strings.Contains(text, strings.Trim(body(was), " \n[]")) {
							t.Errorf("%s was\n%s\nand is\n%s", what, was, text)
						}
					}
					w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
					w.verified(t, cfg)
				})
			}
		}
	}
}

// body is what stands in a policy's Statement.
func body(doc string) string {
	_, rest, ok := strings.Cut(doc, `"Statement":`)
	if !ok {
		return doc
	}
	return strings.TrimSuffix(strings.TrimRight(rest, " \n"), "}")
}

// An arrangement that works goes on working while a change to it fails half-way.
func TestAFailedChangeDoesNotBreakWhatWorks(t *testing.T) {
	for _, op := range []string{"iam:PutRolePolicy", "s3:PutBucketPolicy", "s3:PutBucketLifecycleConfiguration"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			cfg, a := w.config(t), w.connect(t)
			w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
			more := w.config(t, "    path_style: true\naccess:", "    path_style: true\n    tags: {kept: 7y}\n"+second2(w)+"access:")
			w.Sandbox.SetFaults([]sandbox.Fault{{Operation: op, Code: "InternalError", Status: 500, Times: 1}})
			_, err := a.Apply(t.Context(), w.plan(t, a, more, setup.PlanOptions{}), awsaccounts.ApplyOptions{Backup: t.TempDir()})
			w.Sandbox.SetFaults(nil)
			if err == nil {
				t.Fatal("the fault did not hit")
			}
			w.verified(t, cfg)
			w.apply(t, a, w.plan(t, a, more, setup.PlanOptions{}))
			w.verified(t, more)
		})
	}
}

func second2(w *world) string {
	return strings.NewReplacer("A:", w.Sandbox.AccountA()+":", "OWNER", w.Sandbox.AccountB(), "KEY", w.KeyARN, "REGION",
		w.Sandbox.Region()).Replace(`  metrics:
    role: arn:aws:iam::A:role/CrossAccountS3Uploader
    bucket: tenant-s3-test-bucket
    owner: "OWNER"
    region: REGION
    kms_key: KEY
    key: metrics/{name}-{id}
    path_style: true
`)
}

func TestADocumentThatChangedSinceThePlanIsNotOverwritten(t *testing.T) {
	w := newWorld(t)
	w.inhabited(t)
	cfg, a := w.config(t), w.connect(t)
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	edited := strings.ReplaceAll(theirBucketPolicy, "ACCOUNT_B", w.Sandbox.AccountB())
	edited = strings.Replace(edited, "s3:GetObject", "s3:GetObjectVersion", 1)
	if err := w.PutBucketPolicy(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	backups := filepath.Join(t.TempDir(), "b")
	out, err := a.Apply(t.Context(), p, awsaccounts.ApplyOptions{Backup: backups})
	if !errors.Is(err, awsaccounts.ErrChanged) || out.Failed == nil || out.Failed.Kind != setup.KindBucket {
		t.Fatalf("%v, %+v", err, out.Failed)
	}
	if got := w.documents(t, cfg)["policy of "+testbed.Bucket]; got != edited {
		t.Errorf("the edit of somebody else is gone: %s", got)
	}
	files, err := filepath.Glob(filepath.Join(backups, "*-key-policy-*.json"))
	if err != nil || len(files) != 1 || out.Backup != backups {
		t.Fatalf("%v %v %q", files, err, out.Backup)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil || string(kept) != strings.ReplaceAll(theirKeyPolicy, "ACCOUNT_B", w.Sandbox.AccountB()) {
		t.Errorf("%v: the backup is not what was replaced: %s", err, kept)
	}
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
	w.verified(t, cfg)
}

// IAM's news reach other services late: they refuse to name the new role for a while.
func TestAPolicyThatNamesANewRoleIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	cfg, a := w.config(t), w.connect(t)
	w.Sandbox.SetFaults([]sandbox.Fault{
		{Operation: "kms:PutKeyPolicy", Code: "MalformedPolicyDocumentException", Status: 400, Times: 2},
		{Operation: "s3:PutBucketPolicy", Code: "MalformedPolicy", Message: "Invalid principal in policy", Status: 400, Times: 2},
	})
	waits := map[setup.Kind]int{}
	if _, err := a.Apply(t.Context(), w.plan(t, a, cfg, setup.PlanOptions{}),
		awsaccounts.ApplyOptions{Every: time.Millisecond, Notify: func(c *setup.Change, s awsaccounts.Stage) {
			if s == awsaccounts.Waiting {
				waits[c.Kind]++
			}
		}}); err != nil {
		t.Fatal(err)
	}
	if waits[setup.KindKey] != 2 || waits[setup.KindBucket] != 2 {
		t.Errorf("waited %v", waits)
	}
	w.verified(t, cfg)
}

// A run that gave up waiting is followed by one that has made no role itself.
func TestTheNextRunWaitsForTheRoleAsWell(t *testing.T) {
	w := newWorld(t)
	cfg, a := w.config(t), w.connect(t)
	refused := sandbox.Fault{Operation: "kms:PutKeyPolicy", Code: "MalformedPolicyDocumentException", Status: 400}
	w.Sandbox.SetFaults([]sandbox.Fault{refused})
	if _, err := a.Apply(t.Context(), w.plan(t, a, cfg, setup.PlanOptions{}),
		awsaccounts.ApplyOptions{Every: time.Millisecond, Wait: 20 * time.Millisecond}); err == nil {
		t.Fatal("the fault did not hit")
	}
	refused.Times = 2
	w.Sandbox.SetFaults([]sandbox.Fault{refused})
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	if c := p.Change(setup.KindTrust, cfg.Destinations["audit-logs"].Role); c == nil || c.Pending() {
		t.Fatalf("%+v", c)
	}
	if _, err := a.Apply(t.Context(), p, awsaccounts.ApplyOptions{Every: time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	w.verified(t, cfg)
}

func TestARoleUnderAnotherPathIsNotOurs(t *testing.T) {
	w := newWorld(t)
	w.inhabited(t)
	cfg, a := w.config(t, "role/CrossAccountS3Uploader", "role/net/CrossAccountS3Uploader"), w.connect(t)
	before := w.documents(t, cfg)
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	c := p.Change(setup.KindTrust, cfg.Destinations["audit-logs"].Role)
	if c == nil || c.Op != setup.OpUnknown || !strings.Contains(c.Reason, "under another path") {
		t.Errorf("%+v", c)
	}
	if len(before) == 0 || p.Proven() == setup.Holds {
		t.Errorf("proven: %s", p.Proven())
	}
}

// A fault at the first call, at the second, and so on through reading, planning
// and applying: every call of a run is hit once. A run from nothing is hit call by
// call in TestAFailureAtAnyWriteIsFinishedByAnotherRun.
func TestAFaultAtEveryCallOfARun(t *testing.T) {
	calls := 0
	for skip := 0; ; skip++ {
		w := newWorld(t)
		w.inhabited(t)
		cfg, a := w.config(t), w.connect(t)
		before := w.documents(t, cfg)
		w.Sandbox.SetFaults([]sandbox.Fault{{Operation: "*", Code: "InternalError", Status: 500, Skip: skip, Times: 1}})
		seen := len(w.Sandbox.Calls())
		p := w.plan(t, a, cfg, setup.PlanOptions{})
		if len(p.Unknown()) == 0 {
			// The error's text does not matter here; the accounts afterwards do.
			_, _ = a.Apply(t.Context(), p, awsaccounts.ApplyOptions{Backup: t.TempDir(), Every: time.Millisecond, Wait: time.Second})
		}
		made := len(w.Sandbox.Calls()) - seen
		w.Sandbox.SetFaults(nil)
		for what, text := range w.documents(t, cfg) {
			if was := before[what]; was != "" && !strings.Contains(text, strings.Trim(body(was), " \n[]")) {
				t.Errorf("call %d: %s was\n%s\nand is\n%s", skip, what, was, text)
			}
		}
		w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{}))
		if p := w.plan(t, a, cfg, setup.PlanOptions{}); p.Pending() || p.Proven() != setup.Holds {
			t.Errorf("call %d: the second run left something to do: %+v", skip, p.Changes)
		}
		if calls = max(calls, made); skip >= made {
			w.verified(t, cfg)
			break
		}
	}
	if calls < 40 {
		t.Errorf("a run has %d calls", calls)
	}
}

func TestWhatMayNotBeReadIsUnknown(t *testing.T) {
	w := newWorld(t)
	w.inhabited(t)
	cfg, a := w.config(t), w.connect(t)
	w.Sandbox.SetFaults([]sandbox.Fault{
		{Operation: "s3:GetBucketPolicy", Code: "AccessDenied", Status: 403},
		{Operation: "iam:ListAttachedRolePolicies", Code: "AccessDenied", Status: 403},
	})
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	if c := p.Change(setup.KindBucket, "arn:aws:s3:::"+testbed.Bucket); c == nil || c.Op != setup.OpUnknown ||
		!strings.Contains(c.Reason, "AccessDenied") {
		t.Errorf("%+v", c)
	}
	if p.Proven() != setup.Unclear {
		t.Errorf("proven: %s", p.Proven())
	}
}

func TestAPublicStatementIsNamedBeforeItBlocksEverything(t *testing.T) {
	w := newWorld(t)
	w.inhabited(t)
	cfg, a := w.config(t), w.connect(t)
	public := `{"Version":"2012-10-17","Statement":[{"Sid":"Web","Effect":"Allow","Principal":"*","Action":"s3:GetObject",` +
		`"Resource":"arn:aws:s3:::` + testbed.Bucket + `/public/*"}]}`
	if _, err := w.S3.DeletePublicAccessBlock(t.Context(), &s3.DeletePublicAccessBlockInput{Bucket: aws.String(testbed.Bucket)}); err != nil {
		t.Fatal(err)
	}
	if err := w.PutBucketPolicy(t.Context(), public); err != nil {
		t.Fatal(err)
	}
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	named := false
	for _, warning := range p.Warnings {
		named = named || warning.Code == setup.WarnPublicStatement
	}
	if c := p.Change(setup.KindPublicBlock, "arn:aws:s3:::"+testbed.Bucket); !named || c == nil || c.Pending() {
		t.Errorf("warnings %+v, block %+v", p.Warnings, c)
	}
	w.apply(t, a, p)
	w.verified(t, cfg)
}

func TestAChainAcrossAccounts(t *testing.T) {
	w := newWorld(t)
	cfg, a := w.config(t, "    bucket:", "    chain:\n      - {role: \"arn:aws:iam::"+
		w.Sandbox.AccountB()+":role/net/hub\", external_id: hub-7, tags: {team: a}, transitive_tags: [team]}\n    bucket:"), w.connect(t)
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	if p.Proven() != setup.Holds {
		t.Fatalf("%+v", p.Proof)
	}
	w.apply(t, a, p)
	w.verified(t, cfg)
	if p := w.plan(t, a, cfg, setup.PlanOptions{}); p.Pending() {
		t.Errorf("%+v", p.Changes)
	}
	w.apply(t, a, w.plan(t, a, cfg, setup.PlanOptions{Remove: true}))
	for what, text := range w.documents(t, cfg) {
		if strings.Contains(text, "Brokerd") && !strings.Contains(what, ":key/") {
			t.Errorf("%s: %s", what, text)
		}
	}
}

func TestABoundaryIsSetAndProven(t *testing.T) {
	w := newWorld(t)
	policy, err := w.IAM.CreatePolicy(t.Context(),
		&iam.CreatePolicyInput{PolicyName: aws.String("b"),
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)})
	if err != nil {
		t.Fatal(err)
	}
	cfg, a := w.config(t, "setup:\n", "setup:\n  boundary: "+aws.ToString(policy.Policy.Arn)+"\n"), w.connect(t)
	p := w.plan(t, a, cfg, setup.PlanOptions{})
	if p.Proven() != setup.Fails {
		t.Errorf("a boundary without kms: %s", p.Proven())
	}
	if _, err := w.IAM.CreatePolicyVersion(t.Context(),
		&iam.CreatePolicyVersionInput{PolicyArn: policy.Policy.Arn, SetAsDefault: true,
			PolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:*","kms:*"],` +
				`"Resource":"*"}}`)}); err != nil {
		t.Fatal(err)
	}
	plain := w.config(t)
	w.apply(t, a, w.plan(t, a, plain, setup.PlanOptions{}))
	p = w.plan(t, a, cfg, setup.PlanOptions{})
	if c := p.Change(setup.KindBoundary, cfg.Destinations["audit-logs"].Role); p.Proven() != setup.Holds || c == nil ||
		c.Op != setup.OpCreate {
		t.Fatalf("%s %+v", p.Proven(), c)
	}
	w.apply(t, a, p)
	w.verified(t, cfg)
	for _, r := range w.verify(t, cfg) {
		if r.Result() != report.Pass {
			t.Error(r.Result())
		}
	}
}
