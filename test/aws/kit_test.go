package kit

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/test/recorded"
)

func TestMain(m *testing.M) {
	if code, ok := Become(); ok {
		os.Exit(code)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// newSandbox starts a sandbox with these faults, and returns its accounts.
func newSandbox(t *testing.T, prefix string, faults ...sandbox.Fault) *Accounts {
	t.Helper()
	sb, err := sandbox.New(sandbox.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Errorf("closing the sandbox: %v", err)
		}
	})
	a, err := SandboxAccounts(t.Context(), sb, t.TempDir(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		if err := sb.AddFault(f); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// nothingIsLeft fails when a run left something with the prefix behind.
func nothingIsLeft(t *testing.T, a *Accounts, prefix string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	for side, account := range map[string]recorded.Account{"A": a.A, "B": a.B} {
		config := a.Config(account, Region)
		buckets, err := s3.NewFromConfig(config).ListBuckets(ctx, &s3.ListBucketsInput{})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range buckets.Buckets {
			t.Errorf("account %s: bucket %s is left", side, *b.Name)
		}
		api := iam.NewFromConfig(config)
		roles, err := api.ListRoles(ctx, &iam.ListRolesInput{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range roles.Roles {
			t.Errorf("account %s: role %s is left", side, *r.RoleName)
		}
		users, err := api.ListUsers(ctx, &iam.ListUsersInput{})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users.Users {
			if strings.HasPrefix(*u.UserName, prefix) {
				t.Errorf("account %s: user %s is left", side, *u.UserName)
			}
		}
		usableKeys(t, kms.NewFromConfig(config), side)
	}
}

// usableKeys fails for each key of a run that is not on its way out.
func usableKeys(t *testing.T, api *kms.Client, side string) {
	t.Helper()
	keys, err := api.ListKeys(t.Context(), &kms.ListKeysInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys.Keys {
		out, err := api.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: k.KeyId})
		if err != nil {
			t.Fatal(err)
		}
		if out.KeyMetadata.KeyManager == types.KeyManagerTypeCustomer && out.KeyMetadata.KeyState != types.KeyStatePendingDeletion {
			t.Errorf("account %s: key %s is %s", side, *k.KeyId, out.KeyMetadata.KeyState)
		}
	}
}

func TestTwoSandboxesDoNotDiffer(t *testing.T) {
	subject, other := newSandbox(t, RunPrefix()), newSandbox(t, RunPrefix())
	parts := Everything()
	r, err := Compare(t.Context(), subject, other, parts, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Differences {
		t.Errorf("%s, %s: %s is %q and %q", d.Part, d.Name, d.Fact, d.AWS, d.Sandbox)
	}
	asked := len(parts.Mistakes) + len(parts.Recorded) + 2*len(sizes()) + 2
	if r.Compared+len(r.Skipped) != asked {
		t.Errorf("compared %d and skipped %d, want %d together", r.Compared, len(r.Skipped), asked)
	}
	noAccountIsNamed(t, r)
	if err := subject.Finish(t.Context(), subject.Prefix, t.Output()); err != nil {
		t.Fatal(err)
	}
	nothingIsLeft(t, subject, subject.Prefix)
}

// noAccountIsNamed fails when a report, with every fact in it, holds something of a run.
func noAccountIsNamed(t *testing.T, r *Report) {
	t.Helper()
	dir := t.TempDir()
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"differences.md", "differences.json"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{sandbox.DefaultAccountA, sandbox.DefaultAccountB, Prefix, "AKIA0", "ASIA0"} {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s names %s", name, secret)
			}
		}
	}
}

func TestThreeDeviationsAreFound(t *testing.T) {
	deviations := []sandbox.Fault{
		{Operation: "s3:GetBucketCors", Code: "NoSuchCORSConfiguration", Message: "There is no CORS configuration", Status: 404},
		{Operation: "kms:GenerateRandom", Code: "ValidationException", Message: "NumberOfBytes is required.", Status: 400},
		{Operation: "iam:GetGroup", Code: "NoSuchEntity", Message: "The group with name none cannot be found.", Status: 400},
	}
	subject, other := newSandbox(t, RunPrefix(), deviations...), newSandbox(t, RunPrefix())
	r, err := Compare(t.Context(), subject, other, Parts{Recorded: recorded.All()}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, d := range r.Differences {
		service, rest, _ := strings.Cut(d.Name, ":")
		operation, _, _ := strings.Cut(rest, ":")
		found[service+":"+operation] = true
	}
	for _, d := range deviations {
		if !found[d.Operation] {
			t.Errorf("the deviation of %s was not found", d.Operation)
		}
		delete(found, d.Operation)
		if !slices.ContainsFunc(r.Differences,
			func(x Difference) bool { return strings.HasPrefix(x.Name, d.Operation+":") && x.AWS != x.Sandbox }) {
			t.Errorf("%s: no difference says both values", d.Operation)
		}
	}
	for operation := range found {
		t.Errorf("a difference was found where there is none: %s", operation)
	}
	if text := r.Markdown(); !strings.Contains(text, "### s3:GetBucketCors") || !strings.Contains(text, "There is no CORS configuration") {
		t.Errorf("the report does not name the deviation:\n%s", text)
	}
}

func TestAnEstimateIsBelowTheLimit(t *testing.T) {
	p := PlanOf(Everything())
	if p.Dollars >= Limit {
		t.Errorf("a whole run costs up to %.3f USD, want below %.2f: %+v", p.Dollars, Limit, p)
	}
	if p.Buckets == 0 || p.Keys < recorded.SharedKeys || p.Identities == 0 || p.S3 < len(recorded.All()) {
		t.Errorf("the estimate leaves something out: %+v", p)
	}
	text := newSandbox(t, RunPrefix()).Announce(p)
	for _, part := range []string{"USD", fmt.Sprint(p.Buckets, " buckets"), "Each name begins with " + Prefix} {
		if !strings.Contains(text, part) {
			t.Errorf("the announcement does not say %q:\n%s", part, text)
		}
	}
}

// child makes this test binary run the kit against a sandbox of the parent's, until a signal.
const child = "BROKERD_KIT_CHILD"

func TestAnInterruptedRunRemovesWhatItMade(t *testing.T) {
	for _, c := range []struct {
		name    string
		signal  syscall.Signal
		cleanup bool // a second run has to remove it
	}{{"Ctrl-C", syscall.SIGINT, false}, {"SIGTERM", syscall.SIGTERM, false}, {"SIGKILL, then -cleanup", syscall.SIGKILL, true}} {
		t.Run(c.name, func(t *testing.T) { interrupt(t, c.signal, c.cleanup) })
	}
}

func interrupt(t *testing.T, signal syscall.Signal, cleanup bool) {
	sb, err := sandbox.New(sandbox.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() { _ = sb.Close() })
	dir := t.TempDir()
	a, err := SandboxAccounts(t.Context(), sb, dir, RunPrefix())
	if err != nil {
		t.Fatal(err)
	}
	cmd := childRun(t, a, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for sb.CountCalls("s3", "CreateBucket") < 5 { // it is in the middle of the table
		time.Sleep(5 * time.Millisecond)
	}
	if err := cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit status of an interrupted test is not this test's subject
	if cleanup {
		left, err := s3.NewFromConfig(a.Config(a.A, Region)).ListBuckets(t.Context(), &s3.ListBucketsInput{})
		if err != nil || len(left.Buckets) == 0 {
			t.Fatalf("a run that was killed left nothing to remove: %v", err)
		}
		if err := a.Finish(t.Context(), Prefix, t.Output()); err != nil {
			t.Fatal(err)
		}
	}
	nothingIsLeft(t, a, Prefix)
}

// childRun is this test binary in the role of `go test -tags aws`.
func childRun(t *testing.T, a *Accounts, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(slices.Clone(a.Env), child+"="+a.Endpoint, "BROKERD_KIT_DIR="+dir, "PATH="+os.Getenv("PATH"),
		"BROKERD_TEST_A="+a.ProfileA, "BROKERD_TEST_B="+a.ProfileB)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	return cmd
}
