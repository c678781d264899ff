//go:build interop

package interop

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// vending is a real brokerd that hands out the credentials of its destination.
type vending struct {
	*testbedtest.Bed
	url, token string
	env        []string // of an application, with no way to credentials yet
}

func vended(t *testing.T) *vending {
	t.Helper()
	v := &vending{Bed: testbedtest.New(t), token: strings.Repeat("secret-", 6)}
	tokenFile := filepath.Join(v.Dir, "token")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(v.Config.Path)
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(text), "[upload, verify, admin]", "[upload, verify, admin, credentials]", 1) +
		fmt.Sprintf("vend:\n  address: %s\n  socket: %s\n  tokens:\n    - {file: %s, peer: {uid: %q}, destinations: [%s]}\n",
			address, filepath.Join(v.Dir, "v.sock"), tokenFile, fmt.Sprint(os.Getuid()), testbed.Destination)
	for path, text := range map[string]string{v.Config.Path: with, tokenFile: v.token} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, nil, filepath.Join(binaries, "brokerd"), "serve", "--config", v.Config.Path)
	if out, err := brokerctl(t, nil, v.SocketPath, "wait", "--timeout", "20s", testbed.Destination); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	v.url = "http://" + address + "/v1/credentials/" + testbed.Destination
	v.env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "AWS_") })
	v.env = append(v.env, "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_REGION="+v.Sandbox.Region(), "AWS_DEFAULT_REGION="+v.Sandbox.Region(), "AWS_ENDPOINT_URL="+v.Sandbox.Endpoint(),
		"AWS_CA_BUNDLE="+v.CAPath, "NODE_EXTRA_CA_CERTS="+v.CAPath, "KEY="+v.KeyARN, "BUCKET="+testbed.Bucket,
		"SOCK="+filepath.Join(v.Dir, "v.sock"))
	return v
}

// byEndpoint is the environment of an application that takes its keys from the endpoint.
func (v *vending) byEndpoint() []string {
	return append(slices.Clone(v.env), "AWS_CONTAINER_CREDENTIALS_FULL_URI="+v.url,
		"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="+filepath.Join(v.Dir, "token"))
}

func (v *vending) stored(t *testing.T, key string) {
	t.Helper()
	objects := v.Sandbox.Objects(testbed.Bucket)
	if len(objects) != 1 || objects[0].Key != key || objects[0].KMSKeyARN != v.KeyARN {
		t.Errorf("stored: %+v", objects)
	}
}

// The AWS CLI gets its keys from the daemon by credential_process, uploads with
// them, and is kept to the destination's prefix.
func TestTheAWSCLITakesItsKeysFromTheDaemon(t *testing.T) {
	onPath(t, "aws", "bash")
	v := vended(t)
	dir := t.TempDir()
	profile := fmt.Sprintf("[profile logs]\ncredential_process = %s credentials %s --format process --socket %s\ns3 =\n"+
		"    addressing_style = path\n",
		filepath.Join(binaries, "brokerctl"), testbed.Destination, v.SocketPath)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	v.cli(t, append(slices.Clone(v.env), "AWS_CONFIG_FILE="+filepath.Join(dir, "config"), "AWS_PROFILE=logs"))
}

func TestTheAWSCLITakesItsKeysOverHTTP(t *testing.T) {
	onPath(t, "aws", "bash")
	v := vended(t)
	v.cli(t, v.byEndpoint())
}

func (v *vending) cli(t *testing.T, env []string) {
	t.Helper()
	out, err := shell(t, t.TempDir(), env, `
echo hello > hello.txt
aws sts get-caller-identity --query Arn --output text
aws s3 cp --no-progress --sse aws:kms --sse-kms-key-id "$KEY" hello.txt "s3://$BUCKET/logs/by-cli"
{ aws s3 cp --no-progress --sse aws:kms --sse-kms-key-id "$KEY" hello.txt "s3://$BUCKET/elsewhere" 2>&1 || true; } | grep -o AccessDenied
`)
	if err != nil || !strings.Contains(out, "assumed-role/") || !strings.Contains(out, fmt.Sprintf("-uid%d", os.Getuid())) ||
		!strings.HasSuffix(out, "AccessDenied\n") {
		t.Errorf("%v\n%s", err, out)
	}
	v.stored(t, "logs/by-cli")
}

func TestTheJavaScriptSDKTakesItsKeysOverHTTP(t *testing.T) {
	onPath(t, "bash", "node", "npm")
	v := vended(t)
	dir := t.TempDir()
	copyTestdata(t, "package.json", dir)
	copyTestdata(t, "vended.mjs", dir)
	if out, err := shell(t, dir, os.Environ(), "npm install --prefer-offline --no-audit --no-fund --silent"); err != nil {
		t.Skipf("the SDK cannot be installed: %v\n%s", err, out)
	}
	out, err := shell(t, dir, v.byEndpoint(), "node vended.mjs")
	if err != nil || !strings.HasSuffix(out, "AccessDenied\n") {
		t.Errorf("%v\n%s", err, out)
	}
	v.stored(t, "logs/by-javascript")
}

func TestBotoTakesItsKeysOverHTTP(t *testing.T) {
	onPath(t, "bash", "python3")
	if exec.Command("python3", "-c", "import boto3").Run() != nil {
		t.Skip("boto3 is not installed")
	}
	v := vended(t)
	out, err := shell(t, t.TempDir(), v.byEndpoint(), `python3 -c '
import boto3, os
boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="logs/by-boto", Body=b"hello",
  ServerSideEncryption="aws:kms", SSEKMSKeyId=os.environ["KEY"])
'`)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	v.stored(t, "logs/by-boto")
}

func TestTheGoSDKTakesItsKeysOverHTTP(t *testing.T) {
	v := vended(t)
	for _, e := range v.byEndpoint() {
		if name, value, _ := strings.Cut(e, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value)
		}
	}
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		t.Fatal(err)
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	put := func(key string) error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(testbed.Bucket), Key: &key, Body: strings.NewReader("hello"),
			ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: &v.KeyARN})
		return err
	}
	if err := put("logs/by-go"); err != nil {
		t.Fatal(err)
	}
	if err := put("elsewhere"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("not kept to its prefix: %v", err)
	}
	v.stored(t, "logs/by-go")
}

func TestCurlOnTheSocketNeedsNoToken(t *testing.T) {
	onPath(t, "bash", "curl")
	v := vended(t)
	out, err := shell(
		t, t.TempDir(), v.env,
		fmt.Sprintf(`curl -sS --fail-with-body --unix-socket "$SOCK" http://localhost/v1/credentials/%s`, testbed.Destination),
	)
	if err != nil || !strings.Contains(out, `"AccessKeyId":"ASIA`) {
		t.Errorf("%v\n%s", err, out)
	}
}
