//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/test/stage"
)

// The AWS CLI gets its keys from the daemon by credential_process, uploads with
// them, and is kept to the destination's prefix.
func TestTheAWSCLITakesItsKeysFromTheDaemon(t *testing.T) {
	onPath(t, "aws", "bash")
	st := stage.New(t)
	text, err := os.ReadFile(st.Config.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(st.Config.Path, []byte(strings.Replace(string(text), "[upload, verify, admin]", "[upload, verify, admin, credentials]", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, filepath.Join(binaries, "brokerd"), "serve", "--config", st.Config.Path)
	if out, err := brokerctl(t, nil, st.SocketPath, "wait", "--timeout", "20s", stage.Destination); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	profile := fmt.Sprintf("[profile logs]\nregion = %s\nendpoint_url = %s\nca_bundle = %s\ncredential_process = %s credentials %s --format process --socket %s\ns3 =\n    addressing_style = path\n",
		st.Sandbox.Region(), st.Sandbox.Endpoint(), st.CAPath, filepath.Join(binaries, "brokerctl"), stage.Destination, st.SocketPath)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") {
			env = append(env, v)
		}
	}
	env = append(env, "AWS_CONFIG_FILE="+filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true", "KEY="+st.KeyARN, "BUCKET="+stage.Bucket)
	out, err := shell(t, dir, env, `
echo hello > hello.txt
aws --profile logs sts get-caller-identity --query Arn --output text
aws --profile logs s3 cp --no-progress --sse aws:kms --sse-kms-key-id "$KEY" hello.txt "s3://$BUCKET/logs/by-cli"
{ aws --profile logs s3 cp --no-progress --sse aws:kms --sse-kms-key-id "$KEY" hello.txt "s3://$BUCKET/elsewhere" 2>&1 || true; } | grep -o AccessDenied
`)
	if err != nil || !strings.Contains(out, "assumed-role/") || !strings.Contains(out, fmt.Sprintf("-uid%d", os.Getuid())) || !strings.HasSuffix(out, "AccessDenied\n") {
		t.Errorf("%v\n%s", err, out)
	}
	objects := st.Sandbox.Objects(stage.Bucket)
	if len(objects) != 1 || objects[0].Key != "logs/by-cli" || objects[0].KMSKeyARN != st.KeyARN {
		t.Errorf("stored: %+v", objects)
	}
}
