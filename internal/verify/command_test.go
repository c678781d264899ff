package verify_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/test/misconfig"
)

// The printed command is run as it is, by a shell with the AWS CLI and jq, signed
// in to the account that the finding names. Then verify passes.
func TestPrintedCommandsAreRunByAShell(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some fifty processes")
	}
	for _, tool := range []string{"sh", "aws", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs sh, the AWS CLI and jq")
		}
	}
	rows := map[string]misconfig.Mistake{}
	for _, m := range misconfig.All() {
		rows[m.Name] = m
	}
	for _, name := range []string{
		"the trust policy names somebody else",                                              // trust, replaced
		"the role's policy lacks s3:PutObject",                                              // identity, replaced in an inline policy
		"the trust policy delegates to the account, and the caller's own policy is missing", // a user's policy, added
		"the role's boundary knows nothing of KMS",                                          // a managed policy's next version
		"there is no bucket policy",                                                         // added where there is none
		"a legacy policy wants the ACL bucket-owner-full-control",                           // bucket policy, replaced
		"a public statement beside the role's, with RestrictPublicBuckets",                  // bucket policy, removed
		"the key policy does not let the role in",                                           // key policy, replaced
		"the key is disabled",                                                               // settings
		"the bucket makes its requesters pay",
		"the default encryption names no key",
		"the bucket lets writers own their objects: the write succeeds",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t)
			m := rows[name]
			must(t, m.Make(t.Context(), w))
			look := func() report.Report { return runWith(t, w, report.RunOptions{Policies: documents(t, w, "AB")}) }
			for _, c := range look().Fixes() {
				if c.Code != m.Finding.Code {
					continue
				}
				if c.Fix.Command == "" || c.Fix.Owner == "" || c.Fix.Target == "" {
					t.Fatalf("no command, or nobody to run it: %+v", c.Fix)
				}
				keys := w.Sandbox.RootKeys(c.Fix.Account.ID)
				sh := exec.CommandContext(t.Context(), "sh", "-c", c.Fix.Command)
				sh.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+w.Sandbox.Endpoint(), "AWS_CA_BUNDLE="+w.CAPath, "AWS_REGION="+w.Sandbox.Region(),
					"AWS_DEFAULT_REGION="+w.Sandbox.Region(), "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey,
					"AWS_SESSION_TOKEN=", "AWS_PAGER=")
				if out, err := sh.CombinedOutput(); err != nil {
					t.Fatalf("%v: %s\n%s", err, out, c.Fix.Command)
				}
				break
			}
			r := look()
			for _, c := range r.Checks {
				if c.Code == m.Finding.Code || c.Result == report.Fail {
					t.Errorf("after the command: %s %s: %s", c.Code, c.Result, c.Why)
				}
			}
		})
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
