package verify_test

import (
	"context"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/docs/checks"
	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/verify"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// TestMain keeps this machine's own AWS settings out of the tests, which run beside each other.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	// A sandbox that closes waits for its connections: more of them wait beside each other.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// world is two accounts that work, and a verifier for them.
func world(t *testing.T) *testbed.World {
	t.Helper()
	return worldIn(t, sandbox.DefaultRegion)
}

func worldIn(t *testing.T, region string) *testbed.World {
	t.Helper()
	sb, err := sandbox.New(sandbox.Options{Dir: t.TempDir(), Region: region})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	})
	w, err := testbed.Prepare(t.Context(), sb, t.TempDir(), os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func run(t *testing.T, w *testbed.World) report.Report {
	t.Helper()
	report, err := verifier(t, w).Run(t.Context(), w.Dest, report.RunOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if left := w.Sandbox.MultipartUploads(testbed.Bucket); len(left) > 0 && !leftIsKnown(report) {
		t.Errorf("verify left %d multipart uploads behind", len(left))
	}
	if objects := w.Sandbox.Objects(testbed.Bucket); len(objects) > 0 {
		t.Errorf("verify wrote %d objects", len(objects))
	}
	for _, c := range report.Checks {
		if _, ok := checks.Page(c.Code); !ok {
			t.Errorf("code %s has no page", c.Code)
		}
	}
	return report
}

func leftIsKnown(r report.Report) bool {
	for _, c := range r.Checks {
		if c.Code == "BRK-S3-030" {
			return true
		}
	}
	return false
}

func verifier(t *testing.T, w *testbed.World) *verify.Verifier {
	t.Helper()
	return verifierWith(t, w, nil)
}

func verifierWith(t *testing.T, w *testbed.World, leftovers verify.Leftovers) *verify.Verifier {
	t.Helper()
	client, err := awsclient.New(w.Config.AWS)
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Options{Config: w.Config, HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	v, err := verify.New(verify.Options{Config: w.Config, Sessions: b, HTTPClient: client, Leftovers: leftovers})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func firstProblem(t *testing.T, r report.Report) report.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Result == report.Fail || c.Result == report.Warn {
			return c
		}
	}
	t.Fatalf("nothing failed: %+v", r.Checks)
	return report.Check{}
}

func TestEverythingInPlacePasses(t *testing.T) {
	w := world(t)
	r := run(t, w)
	for _, c := range r.Checks {
		unread := c.Result == report.Unknown && c.Advisory && c.Code == "BRK-POL-020"
		if c.Result != report.Pass && c.Result != report.Skip && !unread {
			t.Errorf("%s (%s): %s, %s", c.Title, c.Code, c.Result, c.Why)
		}
	}
	if r.Result() != report.Pass || len(r.Checks) < 40 {
		t.Errorf("result %s of %d checks", r.Result(), len(r.Checks))
	}
}

// breakage takes one thing away; repair puts back what verify printed.
type breakage struct {
	name    string
	apply   func(t *testing.T, w *testbed.World)
	code    string
	account string // "A", "B" or ""
	kind    string
	result  report.Result
	repair  func(t *testing.T, w *testbed.World, statement string) // nil: no statement repairs it
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func edited(t *testing.T, doc string, err error) string {
	t.Helper()
	must(t, err)
	return doc
}

func withoutWord(doc []byte, action string) string {
	for _, form := range []string{`"` + action + `",`, `,"` + action + `"`} {
		if strings.Contains(string(doc), form) {
			return strings.Replace(string(doc), form, "", 1)
		}
	}
	// The last of an indented list.
	i := strings.Index(string(doc), `"`+action+`"`)
	comma := strings.LastIndex(string(doc[:i]), ",")
	return string(doc[:comma]) + string(doc[i+len(action)+2:])
}

func TestOneBrokenThingIsNamedAndItsPrintedRepairWorks(t *testing.T) {
	addKey := func(t *testing.T, w *testbed.World, statement string) {
		doc, err := w.KeyPolicy(t.Context())
		must(t, err)
		doc, err = testbed.AddStatement(doc, statement)
		must(t, w.PutKeyPolicy(t.Context(), edited(t, doc, err)))
	}
	addIdentity := func(t *testing.T, w *testbed.World, statement string) {
		doc, err := testbed.AddStatement(string(w.Docs.Identity), statement)
		must(t, w.PutIdentity(t.Context(), edited(t, doc, err)))
	}
	for _, b := range []breakage{
		{
			name: "key policy without the role", code: "BRK-KMS-010", account: "B", kind: report.ArtefactKeyPolicy, repair: addKey,
			apply: func(t *testing.T, w *testbed.World) {
				doc, err := testbed.RemoveAllow(string(w.Docs.Key), testbed.RoleName)
				must(t, w.PutKeyPolicy(t.Context(), edited(t, doc, err)))
			},
		},
		{
			name: "key policy without Decrypt", code: "BRK-KMS-013", account: "B", kind: report.ArtefactKeyPolicy, repair: addKey,
			apply: func(t *testing.T, w *testbed.World) {
				must(t, w.PutKeyPolicy(t.Context(), withoutWord(w.Docs.Key, "kms:Decrypt")))
			},
		},
		{
			name: "identity policy without the KMS statement", code: "BRK-KMS-011", account: "A", kind: report.ArtefactIdentity, repair: addIdentity,
			apply: func(t *testing.T, w *testbed.World) {
				doc, err := testbed.RemoveAllow(string(w.Docs.Identity), "kms:")
				must(t, w.PutIdentity(t.Context(), edited(t, doc, err)))
			},
		},
		{
			name: "identity policy without Decrypt", code: "BRK-KMS-012", account: "A", kind: report.ArtefactIdentity, repair: addIdentity,
			apply: func(t *testing.T, w *testbed.World) {
				must(t, w.PutIdentity(t.Context(), withoutWord(w.Docs.Identity, "kms:Decrypt")))
			},
		},
		{
			name: "bucket policy without the role, bare refusal", code: "BRK-S3-023", kind: report.ArtefactIdentityBucket,
			apply: func(t *testing.T, w *testbed.World) {
				doc, err := testbed.RemoveAllow(string(w.Docs.Bucket), "s3:PutObject")
				if _, derr := w.S3.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String(testbed.Bucket)}); derr != nil {
					t.Fatal(derr)
				}
				must(t, w.PutBucketPolicy(t.Context(), edited(t, doc, err)))
			},
			repair: func(t *testing.T, w *testbed.World, statement string) {
				doc, err := testbed.RemoveAllow(string(w.Docs.Bucket), "s3:PutObject")
				must(t, err)
				doc, err = testbed.AddStatement(doc, statement)
				must(t, w.PutBucketPolicy(t.Context(), edited(t, doc, err)))
			},
		},
		{
			name: "trust policy that names somebody else", code: "BRK-ID-020", account: "A", kind: report.ArtefactTrust,
			apply: func(t *testing.T, w *testbed.World) {
				_, err := w.IAM.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("other")})
				must(t, err)
				must(t, testbedtest.PutTrust(t.Context(), w, strings.ReplaceAll(string(w.Docs.Trust), "user/"+testbed.UserName, "user/other")))
			},
		},
		{
			name: "trust policy that asks for an external id", code: "BRK-ID-020", account: "A", kind: report.ArtefactTrust,
			apply: func(t *testing.T, w *testbed.World) {
				must(
					t,
					testbedtest.PutTrust(t.Context(), w, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"`+
						w.UserARN+`"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"agreed"}}}]}`),
				)
			},
		},
		{
			name: "key disabled", code: "BRK-KMS-020", account: "B", kind: report.ArtefactKeyState,
			apply: func(t *testing.T, w *testbed.World) {
				_, err := w.KMS.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: aws.String(w.KeyARN)})
				must(t, err)
			},
		},
		{
			name: "no such bucket", code: "BRK-S3-010", account: "B", kind: report.ArtefactBucket,
			apply: func(_ *testing.T, w *testbed.World) { w.Dest.Bucket = "no-such-bucket-of-anybody" },
		},
		{
			name: "bucket in another Region", code: "BRK-S3-011", account: "B", kind: report.ArtefactConfig,
			apply: func(_ *testing.T, w *testbed.World) {
				w.Dest.Region = "eu-central-1"
				w.Dest.KMSKey = strings.Replace(w.Dest.KMSKey, "eu-west-1", "eu-central-1", 1)
			},
		},
		{
			name: "key of another Region", code: "BRK-CFG-010", kind: report.ArtefactConfig,
			apply: func(_ *testing.T, w *testbed.World) {
				w.Dest.KMSKey = strings.Replace(w.Dest.KMSKey, "eu-west-1", "eu-central-1", 1)
			},
		},
		{
			name: "source key deleted", code: "BRK-ID-011", kind: report.ArtefactCredentials,
			apply: func(t *testing.T, w *testbed.World) {
				out, err := w.IAM.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String(testbed.UserName)})
				must(t, err)
				for _, k := range out.AccessKeyMetadata {
					_, err := w.IAM.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{
						UserName: aws.String(testbed.UserName), AccessKeyId: k.AccessKeyId,
					})
					must(t, err)
				}
			},
		},
		{
			name: "abort not allowed", code: "BRK-S3-030", kind: report.ArtefactIdentityBucket, result: report.Warn,
			apply: func(t *testing.T, w *testbed.World) {
				must(t, w.PutBucketPolicy(t.Context(), withoutWord(w.Docs.Bucket, "s3:AbortMultipartUpload")))
			},
		},
	} {
		t.Run(b.name, func(t *testing.T) {
			w := world(t)
			b.apply(t, w)
			got := firstProblem(t, run(t, w))
			account := map[string]string{"A": w.Sandbox.AccountA(), "B": w.Sandbox.AccountB()}[b.account]
			want := b.result
			if want == "" {
				want = report.Fail
			}
			if got.Result != want || got.Code != b.code || got.Account.ID != account || got.Artefact.Kind != b.kind {
				t.Errorf("got %s %s, account %q, artefact %q; want %s %s, account %q, artefact %q\ndetail: %s\nAWS: %s: %s",
					got.Result, got.Code, got.Account.ID, got.Artefact.Kind, want, b.code, account, b.kind, got.Why, evidence(got).AWSCode,
					evidence(got).AWSMessage)
			}
			if got.Why == "" || got.Fix.Text == "" {
				t.Errorf("no detail or no fix: %+v", got)
			}
			if b.repair == nil {
				return
			}
			if string(got.Fix.Patch) == "" {
				t.Fatal("no statement to repair it with")
			}
			b.repair(t, w, string(got.Fix.Patch))
			if r := run(t, w); r.Result() != report.Pass {
				t.Errorf("after applying the printed statement: %+v", firstProblem(t, r))
			}
		})
	}
}

// evidence is the first call that a finding rests on.
func evidence(c report.Check) report.Evidence {
	for _, e := range c.Evidence {
		if e.Source == report.SourceProbe {
			return e
		}
	}
	return report.Evidence{}
}
