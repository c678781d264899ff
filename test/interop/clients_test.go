//go:build interop

package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Clients that are not ours meet the sandbox, each a sandbox of its own. A client
// is skipped where it is not installed and cannot be. They run side by side:
// Terraform spends most of its time waiting for what AWS would take time for.

// shell runs commands in bash and returns their output.
func shell(t *testing.T, dir string, env []string, commands string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\n"+commands)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// copyTestdata copies a file of testdata into dir.
func copyTestdata(t *testing.T, name, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestPythonDeliversToTheSandbox(t *testing.T) {
	t.Parallel()
	onPath(t, "bash", "python3")
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import boto3").Run(); err != nil {
		t.Skip("boto3 is not installed")
	}
	dir := t.TempDir()
	copyTestdata(t, "sdk.py", dir)
	out, err := shell(t, dir, sandboxProcess(t), `eval "$(brokerctl sandbox env)"; python3 sdk.py`)
	if err != nil || strings.TrimSpace(out) != "ok" {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestJavaScriptDeliversToTheSandbox(t *testing.T) {
	t.Parallel()
	onPath(t, "bash", "node", "npm")
	dir := t.TempDir()
	copyTestdata(t, "package.json", dir)
	copyTestdata(t, "sdk.mjs", dir)
	began := time.Now()
	if out, err := shell(t, dir, os.Environ(), "npm install --prefer-offline --no-audit --no-fund --silent"); err != nil {
		t.Skipf("the SDK cannot be installed: %v\n%s", err, out)
	}
	t.Logf("installed in %s", time.Since(began).Round(time.Second)) // the network's time, not the sandbox's
	out, err := shell(t, dir, sandboxProcess(t), `eval "$(brokerctl sandbox env)"; export NODE_EXTRA_CA_CERTS="$AWS_CA_BUNDLE"; node sdk.mjs`)
	if err != nil || !strings.HasSuffix(strings.TrimSpace(out), "ok") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRcloneKeepsAFolderInTheSandbox(t *testing.T) {
	t.Parallel()
	onPath(t, "bash")
	rclone := os.Getenv("RCLONE")
	if rclone == "" {
		var err error
		if rclone, err = exec.LookPath("rclone"); err != nil {
			t.Skip("rclone is neither in $RCLONE nor on PATH")
		}
	}
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	for i, name := range []string{"a", "b b", "deep/ä+ö", "deep/er/100%", "empty", "big"} {
		data := bytes.Repeat([]byte{byte(rand.IntN(256))}, []int{1, 1000, 70_000, 3, 0, 12_000_000}[i])
		path := filepath.Join(source, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := shell(t, dir, append(sandboxProcess(t), "RCLONE="+rclone), `
eval "$(brokerctl sandbox env --account b)"
r() { "$RCLONE" --config /dev/null --ca-cert "$AWS_CA_BUNDLE" --s3-provider AWS --s3-env-auth \
  --s3-region eu-west-1 --s3-endpoint "$AWS_ENDPOINT_URL" --s3-force-path-style --s3-location-constraint eu-west-1 \
  --s3-upload-cutoff 5Mi --s3-chunk-size 5Mi --retries 1 --low-level-retries 1 --log-level ERROR "$@"; }
calls() { echo "$1 $(brokerctl sandbox events --name "$1" -o json | grep -c "$2")"; }
r mkdir :s3:kept
r sync source :s3:kept/copy
r check source :s3:kept/copy
calls UploadPart kept
r copyto :s3:kept/copy/big :s3:kept/moved/big
r moveto :s3:kept/moved/big :s3:kept/moved/bigger
calls CopyObject kept
r --s3-copy-cutoff 5Mi copyto :s3:kept/moved/bigger :s3:kept/moved/biggest
calls UploadPartCopy kept
r cat :s3:kept/moved/biggest | cmp - source/big
r copyto :s3:kept/copy back
diff -r source back
r lsjson --recursive --files-only --hash :s3:kept/copy | grep -o '"Path":"[^"]*"' | sort

r backend versioning :s3:kept Enabled
rm source/a && echo changed > 'source/b b'
r sync source :s3:kept/copy
r check source :s3:kept/copy
r cat ':s3:kept/copy/b b'
r --s3-versions lsf --files-only :s3:kept/copy | sed 's/-v20[0-9-]*/-vWHEN/'

r --s3-server-side-encryption aws:kms copy source :s3:kept/sealed
calls PutObject '"SSEApplied":"SSE_KMS"'
calls CreateMultipartUpload '"SSEApplied":"SSE_KMS"'
r check --download source :s3:kept/sealed
r size :s3:kept | sed -n 1p
r delete :s3:kept
r backend cleanup-hidden :s3:kept
r purge :s3:kept
`)
	const want = `UploadPart 3
CopyObject 2
UploadPartCopy 3
"Path":"a"
"Path":"b b"
"Path":"big"
"Path":"deep/er/100%"
"Path":"deep/ä+ö"
"Path":"empty"
"Enabled"
changed
a-vWHEN
b b
b b-vWHEN
big
empty
PutObject 4
CreateMultipartUpload 1
Total objects: 12
`
	if err != nil || out != want {
		t.Errorf("%v\n%s, want\n%s", err, out, want)
	}
}

func TestTerraformBuildsTheArrangementInTheSandbox(t *testing.T) {
	t.Parallel()
	onPath(t, "bash", "terraform")
	dir := t.TempDir()
	copyTestdata(t, "arrangement.tf", dir)
	env := append(sandboxProcess(t), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	if out, err := shell(t, dir, env, `brokerctl sandbox env --format terraform > provider.tf; terraform init -no-color `+
		`-input=false`); err != nil {
		t.Skipf("the provider cannot be installed: %v\n%s", err, out)
	}
	for _, step := range []string{
		"terraform apply -no-color -input=false -auto-approve",
		"terraform plan -no-color -input=false -detailed-exitcode",
		"terraform destroy -no-color -input=false -auto-approve",
	} {
		out, err := shell(t, dir, env, step)
		if err != nil {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
	}
	out, err := shell(t, dir, env, `eval "$(brokerctl sandbox env)"; brokerctl sandbox events --name DeleteRole | wc -l`)
	if err != nil || strings.TrimSpace(out) != fmt.Sprint(2) {
		t.Errorf("%v: %s roles were deleted", err, out)
	}
}
