package setupcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/google/go-cmp/cmp"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

func TestPlanView(t *testing.T) {
	const bucket = "arn:aws:s3:::b"
	p := &setup.Plan{
		Changes: []setup.Change{
			{Op: setup.OpHandOver, Kind: setup.KindTrust, Account: "111122223333", ARN: "arn:aws:iam::111122223333:role/Up",
				Statements: []setup.StatementChange{
					{Op: setup.StatementAdded, Sid: "BrokerdAssumeRoleLogs",
						Elements: []policytext.ElementChange{{Element: "Effect", Added: []string{"Allow"}},
							{Element: "Principal.AWS", Added: []string{"arn:x"}}}},
				}},
			{Op: setup.OpUpdate, Kind: setup.KindBucket, Account: "444455556666", ARN: bucket, Statements: []setup.StatementChange{
				{Op: setup.StatementForeign, Sid: "Theirs"}, {Op: setup.StatementSame, Sid: "BrokerdDenyInsecureTransport"},
				{Op: setup.StatementChanged, Sid: "BrokerdAllowWriteLogs",
					Elements: []policytext.ElementChange{{Element: "Action", Removed: []string{"s3:GetObject"}, Added: []string{"s3:PutObject"}}}},
				{Op: setup.StatementRemoved, Sid: "BrokerdAllowWriteOld",
					Elements: []policytext.ElementChange{{Element: "Action", Removed: []string{"s3:PutObject", "s3:AbortMultipartUpload"}},
						{Element: "Condition.StringEquals.kms:ViaService", Removed: []string{"s3"}}}},
			}},
			{Op: setup.OpUpdate, Kind: setup.KindOwnership, Account: "444455556666", ARN: bucket, Before: `"ObjectWriter"`,
				After: `"BucketOwnerEnforced"`},
			{Op: setup.OpKeep, Kind: setup.KindEncryption, Account: "444455556666", ARN: bucket, Before: "{}", After: "{}",
				Reason: "the bucket has another key as its default"},
			{Op: setup.OpUnknown, Kind: setup.KindLifecycle, Account: "444455556666", ARN: bucket, Reason: "AccessDenied"},
		},
		Warnings: []setup.Warning{
			{Code: setup.WarnPublicStatement, Kind: setup.KindBucket, Account: "444455556666", ARN: bucket, Message: "it is public",
				Fix: "Take it out."},
		},
		Proof: []setup.Case{
			{Destination: "logs", Name: "an upload below the prefix", Want: "allowed", Verdict: setup.Fails,
				Why: "s3:PutObject is refused by the resource policy", Assumptions: []string{"no control policy"}},
			{Destination: "logs", Name: "reading an object", Want: "denied", Verdict: setup.Unclear, Why: "it depends",
				Assumptions: []string{"no control policy"}},
		},
	}
	var out bytes.Buffer
	v := newPlanView(&console.App{Streams: console.Streams{Out: &out}})
	v.plan(p, map[string]string{"444455556666": "arn:aws:iam::444455556666:role/admin"})
	want := `account 111122223333  not reached: for its administrator
  > trust policy of role arn:aws:iam::111122223333:role/Up  handed over
      + BrokerdAssumeRoleLogs
          Effect     Allow
          AWS        arn:x
account 444455556666  as arn:aws:iam::444455556666:role/admin
  ~ bucket policy of arn:aws:s3:::b  update
      ~ BrokerdAllowWriteLogs
          - Action     s3:GetObject
          + Action     s3:PutObject
      - BrokerdAllowWriteOld
          Action     s3:PutObject, s3:AbortMultipartUpload
          StringEquals kms:ViaService: s3
      = 1 statement of ours unchanged
      = 1 statement of others, kept byte for byte
  ~ object ownership of arn:aws:s3:::b  update
      - "ObjectWriter"
      + "BucketOwnerEnforced"
  = default encryption of arn:aws:s3:::b  unchanged
      the bucket has another key as its default
  ? lifecycle rules of arn:aws:s3:::b  could not be decided
      AccessDenied
warnings
  ! it is public  public-statement
      bucket policy of arn:aws:s3:::b, account 444455556666
      Take it out.
after apply, by the policy engine
  destination logs
    ✗ an upload below the prefix: NOT allowed  s3:PutObject is refused by the resource policy
    ? reading an object: should be denied  it depends
  assumption: no control policy
Plan: 2 to update, 1 for another administrator, 1 not decided.
`
	if d := cmp.Diff(want, out.String()); d != "" || v.err != nil {
		t.Errorf("%v %s", v.err, d)
	}
}

// In place of a profile's name stand the environment's credentials, or a role that
// is assumed with them.
func TestProfilesRolesAndTheEnvironment(t *testing.T) {
	w := testbedtest.New(t)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(w.Dir, "credentials"))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(w.Dir, "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e := awsaccounts.Endpoints{STS: w.Sandbox.Endpoint()}
	for profile, want := range map[string]string{
		"-":         w.UserARN,
		"default":   w.UserARN,
		w.Dest.Role: "assumed-role/" + testbed.RoleName + "/brokerctl-setup",
	} {
		a, err := Connect(t.Context(), w.HTTP, w.Dest.Region, e, []string{profile})
		if err != nil {
			t.Errorf("%s: %v", profile, err)
			continue
		}
		if got := a.Callers()[w.Sandbox.AccountA()]; !strings.HasSuffix(got, want) {
			t.Errorf("%s: %q", profile, got)
		}
	}
	if _, err := Connect(t.Context(), w.HTTP, w.Dest.Region, e, []string{"absent"}); err == nil ||
		!strings.Contains(err.Error(), `there is no profile "absent" in the shared AWS files; there are default`) {
		t.Errorf("got %v", err)
	}
}

// Ctrl-C during the verification does not hide that the changes are made, and remove
// needs no verification.
func TestAnInterruptedApplyTellsWhatItMade(t *testing.T) {
	w := testbedtest.New(t)
	var profiles strings.Builder
	for name, account := range map[string]string{"a-admin": w.Sandbox.AccountA(), "b-admin": w.Sandbox.AccountB()} {
		keys := w.Sandbox.RootKeys(account)
		fmt.Fprintf(&profiles, "[profile %s]\naws_access_key_id = %s\naws_secret_access_key = %s\n", name, keys.AccessKeyID, keys.SecretAccessKey)
	}
	path := filepath.Join(w.Dir, "profiles")
	if err := os.WriteFile(path, []byte(profiles.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", path)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	run := func(word string, verify VerifyFunc) (*console.App, string, error) {
		var out bytes.Buffer
		a := &console.App{Streams: console.Streams{Out: &out, Err: io.Discard}}
		cmd := SetupCommand(a, verify)
		cmd.SetArgs([]string{word, "--config", w.ConfigPath, "--source-profile", "a-admin", "--target-profile", "b-admin",
			"--yes", "-o", "json", "--backup", filepath.Join(w.Dir, "backup")})
		err := cmd.ExecuteContext(t.Context())
		return a, out.String(), err
	}
	if _, out, err := run("remove", nil); err != nil || !strings.Contains(out, `"done": [`) || strings.Contains(out, "verified") {
		t.Fatalf("remove: %v\n%s", err, out)
	}
	for _, want := range []string{
		"changes made, and not verified: run `brokerctl verify`",
		"nothing was changed, and the arrangement is not verified",
	} {
		asked := false
		a, out, err := run("apply", func(context.Context, *console.App, VerifyRequest) (Verification, error) {
			asked = true
			return Verification{}, context.Canceled // as after Ctrl-C
		})
		if !asked || !errors.Is(err, context.Canceled) || !strings.Contains(a.ExplainError(err), want) || !strings.Contains(out, `"done": [`) {
			t.Errorf("want %q, got %v (%q)\n%s", want, err, a.ExplainError(err), out)
		}
	}
}

// A plan never says that all is well where its proof says that an upload is refused.
func TestAPlanWithoutChangesTellsOfARefusal(t *testing.T) {
	kept := []setup.Change{{Op: setup.OpKeep, Kind: setup.KindBucket}}
	proof := func(v setup.Verdict) []setup.Case { return []setup.Case{{Want: "allowed", Verdict: v}} }
	for name, c := range map[string]struct {
		plan *setup.Plan
		want string
		err  error
	}{
		"all is well":              {&setup.Plan{Changes: kept, Proof: proof(setup.Holds)}, "Nothing to do", nil},
		"refused, nothing to make": {&setup.Plan{Changes: kept, Proof: proof(setup.Fails)}, "An upload is refused all the same", errUnrepaired},
		"refused after the changes": {&setup.Plan{Changes: []setup.Change{{Op: setup.OpUpdate}}, Proof: proof(setup.Fails)}, "1 to update",
			errNotProven},
		"refused, and handed over": {&setup.Plan{Changes: []setup.Change{{Op: setup.OpHandOver}}, Proof: proof(setup.Fails)},
			"another administrator", errNotProven},
	} {
		got := summary(c.plan)
		if !strings.Contains(got, c.want) || c.err != nil && strings.Contains(got, "Nothing to do") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if err := notProven(c.plan); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
	}
}
