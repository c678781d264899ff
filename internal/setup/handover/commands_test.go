//go:build interop

package handover_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/testbed"
)

// blocks are the shell commands and the named JSON files of a section.
func blocks(t *testing.T, text, from, to string) (script string, files map[string]string) {
	t.Helper()
	_, text, ok := strings.Cut(text, from)
	if !ok {
		t.Fatalf("the message has no %q", from)
	}
	if to != "" {
		text, _, _ = strings.Cut(text, to)
	}
	var b strings.Builder
	files = map[string]string{}
	block := regexp.MustCompile("(?s)(?:`([a-z-]+\\.json)`:\n\n)?```(json|sh)\n(.*?)```")
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		if m[2] == "json" {
			files[m[1]] = m[3]
		} else {
			b.WriteString(m[3])
		}
	}
	return b.String(), files
}

// run gives a script to sh, with the AWS CLI as account B's administrator.
func (a *accounts) run(t *testing.T, script string, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys := a.Sandbox.RootKeys(a.Sandbox.AccountB())
	// diff exits with 1 when there is a difference, and a difference is expected.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-ec", "diff() { command diff \"$@\" || [ $? -eq 1 ]; }\n"+script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+a.Sandbox.Endpoint(), "AWS_CA_BUNDLE="+a.CAPath,
		"AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey, "AWS_PAGER=", "AWS_CONFIG_FILE="+os.DevNull)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("running the printed commands: %v\n%s\n%s", err, out, script)
	}
}

// The printed commands are run: B's administrator applies the message by hand,
// next to a foreign statement, checks it, and revokes it.
func TestThePrintedCommandsApplyAndRevoke(t *testing.T) {
	for _, tool := range []string{"aws", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: the printed commands need it", tool)
		}
	}
	a := newAccounts(t)
	A, B := a.Sandbox.AccountA(), a.Sandbox.AccountB()
	plan, reached := a.plan(t, setup.PlanOptions{}, A)
	if _, err := reached.Apply(t.Context(), plan, awsaccounts.ApplyOptions{Backup: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	message := a.text(t, B, plan, "")

	// The settings come first by hand: without a bucket there is no policy.
	settings, _ := blocks(t, message, "### Settings", "### Lifecycle rule")
	a.run(t, settings, nil)
	foreign := `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::` +
		testbed.Bucket + `/keep/*"}}`
	if err := a.PutBucketPolicy(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	script, files := blocks(t, message, "**By hand**", "### Settings")
	lifecycle, _ := blocks(t, message, "### Lifecycle rule", "## Check it afterwards")
	script += lifecycle
	a.run(t, script, files)
	after, _ := a.plan(t, setup.PlanOptions{}, A, B)
	for _, c := range after.Changes {
		if c.Op != setup.OpKeep {
			t.Errorf("after the printed commands, %s of %s is still %s", c.Kind, c.ARN, c.Op)
		}
	}
	if after.Proven() != setup.Holds {
		t.Errorf("after the printed commands an upload is not proven: %s", after.Proven())
	}

	check, _ := blocks(t, message, "## Check it afterwards", "## Revoke it")
	a.run(t, check, nil)

	// Run twice, nothing doubles; revoked, only the foreign statement is left.
	a.run(t, script, files)
	revoke, _ := blocks(t, message, "## Revoke it", "")
	a.run(t, revoke, nil)
	revoked, _ := a.plan(t, setup.PlanOptions{}, A, B)
	c := revoked.Change(setup.KindBucket, "arn:aws:s3:::"+testbed.Bucket)
	if c == nil || strings.Contains(c.Before, "Brokerd") || !strings.Contains(c.Before, "keep/*") {
		t.Errorf("after the revocation the bucket policy is %+v", c)
	}
	if k := revoked.Change(setup.KindKey, a.KeyARN); k == nil || strings.Contains(k.Before, testbed.RoleName) ||
		!strings.Contains(k.Before, ":root") {
		t.Errorf("after the revocation the key policy is %+v", k)
	}
}
