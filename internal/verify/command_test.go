package verify_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/test/misconfig"
)

// sampled are the rows whose commands are always run: one for each form of a command.
// BROKERD_ALL_COMMANDS=1 runs those of the whole table.
var sampled = []string{
	"the trust policy names somebody else",                                              // trust, replaced
	"the role's policy lacks s3:PutObject",                                              // identity, replaced in an inline policy
	"the trust policy delegates to the account, and the caller's own policy is missing", // a user's policy, added
	"the role's boundary knows nothing of KMS",                                          // a managed policy's next version
	"there is no bucket policy",                                                         // added where there is none
	"a legacy policy wants the ACL bucket-owner-full-control",                           // bucket policy, replaced
	"a public statement beside the role's, with RestrictPublicBuckets",                  // bucket policy, narrowed
	"the key policy does not let the role in",                                           // key policy, replaced
	"the key is disabled",                                                               // settings
	"the key is pending deletion",
	"the bucket makes its requesters pay",
	"the default encryption names no key",
	"the bucket lets writers own their objects: the write succeeds",
}

// Every printed command is run as it is, by a shell with the AWS CLI and jq, signed in to
// the account that the fix names. The finding is then gone, and the answer to every
// stranger is the same as before.
func TestPrintedCommandsAreRunByAShell(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some fifty processes")
	}
	for _, tool := range []string{"sh", "aws", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs sh, the AWS CLI and jq")
		}
	}
	whole := os.Getenv("BROKERD_ALL_COMMANDS") != ""
	var run atomic.Int32
	t.Run("rows", func(t *testing.T) {
		for _, m := range misconfig.All() {
			always := slices.Contains(sampled, m.Name)
			if m.Finding == nil || !whole && !always {
				continue
			}
			for _, readable := range []bool{true, false} {
				if !readable && (!whole || m.Finding.Blind == "-") {
					continue
				}
				t.Run(fmt.Sprintf("%s/documents=%t", m, readable), func(t *testing.T) {
					t.Parallel()
					w := world(t)
					// AWS takes back no policy that names a deleted role (27), and the fix of a
					// public statement also lets the others in (38), so that it is described only.
					stageWith(t, w, m, m.Number != 27 && m.Number != 38)
					n := runEveryCommand(t, w, readable)
					if n == 0 && always && readable {
						t.Error("verify prints no command")
					}
					run.Add(int32(n)) //nolint:gosec // a few
				})
			}
		}
	})
	t.Logf("%d commands", run.Load())
}

// runEveryCommand runs the commands of all fixes until verify prints none, and counts them.
func runEveryCommand(t *testing.T, w *testbed.World, readable bool) (n int) {
	t.Helper()
	done := map[string]bool{}
	for range 5 {
		o := report.RunOptions{}
		if readable {
			o.Policies = documents(t, w, "AB")
		}
		again := false
		for _, c := range runWith(t, w, o).Fixes() {
			command := c.Fix.Command
			if command == "" || strings.Contains(command, "aws cloudtrail") {
				continue // a query of the audit trail changes nothing
			}
			if done[command] {
				t.Fatalf("%s is still there after its command: %s\n%s", c.Code, c.Why, command)
			}
			done[command], again = true, true
			if c.Fix.Owner == "" || c.Fix.Target == "" || c.Fix.Account.ID == "" {
				t.Fatalf("the command says not who runs it, where: %+v", c.Fix)
			}
			before := stateOf(t, w)
			shell(t, w, c)
			compareStates(t, w, c.Fix.Text+"\n"+command, before, stateOf(t, w))
			n++
		}
		if !again {
			return n
		}
	}
	t.Errorf("verify prints new commands after five rounds: %v", slices.Collect(maps.Keys(done)))
	return n
}

// shell runs the command of a fix as the root user of its account.
func shell(t *testing.T, w *testbed.World, c report.Check) {
	t.Helper()
	if out, err := tryShell(t, w, c); err != nil {
		t.Fatalf("%s: %v: %s\n%s", c.Code, err, out, c.Fix.Command)
	}
}

func tryShell(t *testing.T, w *testbed.World, c report.Check) (output string, err error) {
	t.Helper()
	keys := w.Sandbox.RootKeys(c.Fix.Account.ID)
	sh := exec.CommandContext(t.Context(), "sh", "-c", c.Fix.Command)
	sh.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+w.Sandbox.Endpoint(), "AWS_CA_BUNDLE="+w.CAPath, "AWS_REGION="+w.Sandbox.Region(),
		"AWS_DEFAULT_REGION="+w.Sandbox.Region(), "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey,
		"AWS_SESSION_TOKEN=", "AWS_PAGER=")
	out, err := sh.CombinedOutput()
	return string(out), err
}

// A fix that adds an inline policy writes over no other one: neither where the policy
// is there, nor where AWS does not say that there is none.
func TestAnAddedPolicyReplacesNoOther(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the AWS CLI")
	}
	for _, tool := range []string{"sh", "aws"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs sh and the AWS CLI")
		}
	}
	w := world(t)
	all := misconfig.All()
	i := slices.IndexFunc(all, func(m misconfig.Mistake) bool { return m.Name == "the role's policy lacks kms:GenerateDataKey" })
	if i < 0 {
		t.Fatal("the row is gone")
	}
	must(t, all[i].Make(t.Context(), w))
	got := firstProblem(t, runWith(t, w, report.RunOptions{}))
	if got.Fix.Kind != report.FixAddStatement || got.Fix.Command == "" {
		t.Fatalf("no command that adds a policy: %+v", got.Fix)
	}
	const other = `{"Version":"2012-10-17","Statement":[{"Sid":"Other","Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}`
	policy := &iam.GetRolePolicyInput{RoleName: aws.String(testbed.RoleName), PolicyName: aws.String(got.Fix.Policy)}
	_, err := w.IAM.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{
		RoleName: policy.RoleName, PolicyName: policy.PolicyName, PolicyDocument: aws.String(other),
	})
	must(t, err)
	refuse := func(want string) {
		t.Helper()
		if out, err := tryShell(t, w, got); err == nil || !strings.Contains(out, want) {
			t.Errorf("the command reports %v and prints %q, want a failure with %q", err, out, want)
		}
		doc, err := w.IAM.GetRolePolicy(t.Context(), policy)
		must(t, err)
		if text := unescaped(t, doc.PolicyDocument); !strings.Contains(text, `"Other"`) {
			t.Errorf("the command wrote over another policy: %s", text)
		}
	}
	refuse("exists: compare it first")
	must(t, w.Sandbox.AddFault(sandbox.Fault{
		Operation: "iam:GetRolePolicy", Code: "AccessDenied", Message: "not authorized", Status: 403, Times: 1,
	}))
	refuse("AccessDenied")
	_, err = w.IAM.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: policy.RoleName, PolicyName: policy.PolicyName})
	must(t, err)
	shell(t, w, got)
	if r := runWith(t, w, report.RunOptions{}); len(r.Fixes()) > 0 {
		t.Errorf("the finding is still there after its command: %s", codesOf(r))
	}
}

// What comes from documents is quoted: a shell sees one word.
func TestCommandsQuoteWhatTheyAreGiven(t *testing.T) {
	w := world(t)
	doc := strings.Replace(string(w.Docs.Bucket), `"Statement": [`,
		`"Statement": [{"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::tenant-s3-test-bucket/*",`+
			`"Condition":{"StringNotEquals":{"aws:UserAgent":"it's $(touch /tmp/x) `+"`id`"+` here"}}},`, 1)
	must(t, w.PutBucketPolicy(t.Context(), doc))
	r := runWith(t, w, report.RunOptions{Policies: documents(t, w, "AB")})
	got := firstProblem(t, r)
	if got.Artefact.Statement == nil || got.Artefact.Statement.Sid != "Guard" {
		t.Fatalf("got %+v", got)
	}
	words := strings.ReplaceAll(got.Fix.Command, `'\''`, "")
	inside, quoted := false, 0
	for i, c := range words {
		switch {
		case c == '\'':
			inside = !inside
		case !inside && (strings.HasPrefix(words[i:], "$(touch") || c == '`'):
			t.Fatalf("a shell would run what a policy says: %s", got.Fix.Command)
		case inside && strings.HasPrefix(words[i:], "$(touch"):
			quoted++
		}
	}
	if quoted == 0 {
		t.Errorf("the statement is not in the command: %s", got.Fix.Command)
	}
}
