package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// sandboxCommand is "sandbox start FLAG…" and "sandbox stop": brokerctl sandbox in
// another terminal, ended by Ctrl-C.
func sandboxCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sandbox start FLAG… | sandbox stop")
	}
	switch args[0] {
	case "start":
		cmd := exec.Command(filepath.Join(binaries, "brokerctl"), append([]string{"sandbox"}, args[1:]...)...)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+ts.Getenv("XDG_RUNTIME_DIR"), "TMPDIR="+ts.Getenv("WORK"))
		_, err := startSandbox(cmd)
		ts.Check(err)
		ts.Defer(func() { _ = cmd.Process.Kill() })
		sandboxes.Store(ts.Getenv("WORK"), cmd)
	case "stop":
		v, ok := sandboxes.LoadAndDelete(ts.Getenv("WORK"))
		if !ok {
			ts.Fatalf("no sandbox runs")
		}
		cmd := v.(*exec.Cmd)
		ts.Check(cmd.Process.Signal(os.Interrupt))
		ts.Check(cmd.Wait())
	}
}

// sandboxes are those of the scripts, by working directory.
var sandboxes sync.Map

// startSandbox starts a sandbox and reads its output until it is ready.
func startSandbox(cmd *exec.Cmd) (environment map[string]string, err error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	environment = map[string]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "export "), "="); ok && strings.HasPrefix(lines.Text(), "export ") {
			environment[name] = value
		}
		if strings.Contains(lines.Text(), "runs until Ctrl-C") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return environment, nil
		}
	}
	return nil, errors.Join(errors.New("the sandbox ended before it was ready"), lines.Err(), cmd.Wait())
}

// s3Of makes a client from the sandbox's output, as a user would.
func s3Of(environment map[string]string) *s3.Client {
	return s3.New(s3.Options{
		Region: environment["AWS_REGION"], BaseEndpoint: aws.String(environment["AWS_ENDPOINT_URL"]), UsePathStyle: true,
		HTTPClient: &http.Client{},
		Credentials: credentials.NewStaticCredentialsProvider(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"],
			""), Retryer: aws.NopRetryer{},
	})
}

// Whatever was answered before a kill -9 is there after it, whole.
func TestASandboxThatIsKilledLosesNothingItAnswered(t *testing.T) {
	dir := t.TempDir()
	start := func() (*exec.Cmd, *s3.Client) {
		t.Helper()
		cmd := exec.Command(filepath.Join(binaries, "brokerctl"), "sandbox", "--addr", "127.0.0.1:0", "--plain-http", "--data", dir)
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir())
		environment, err := startSandbox(cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd, s3Of(environment)
	}
	cmd, api := start()
	bucket := aws.String("kept")
	if _, err := api.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket,
		CreateBucketConfiguration: &s3types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	answered := map[string][sha256.Size]byte{}
	var writers sync.WaitGroup
	enough := make(chan struct{})
	for w := range 4 {
		writers.Go(func() {
			for n := 0; ; n++ {
				body := bytes.Repeat([]byte(fmt.Sprintf("%d-%d ", w, n)), 1+n*700%30_000)
				key := fmt.Sprintf("%d/%d", w, n)
				if _, err := api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key),
					Body: bytes.NewReader(body)}); err != nil {
					return // it was killed
				}
				mu.Lock()
				answered[key] = sha256.Sum256(body)
				if len(answered) == 300 {
					close(enough)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(2 * time.Minute):
		t.Error("300 objects take more than two minutes")
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	writers.Wait()

	_, api = start()
	for key, want := range answered {
		if got, err := sumOf(t.Context(), api, bucket, key); err != nil || got != want {
			t.Errorf("%s was answered and is not what it was: %v", key, err)
		}
	}
	bodies, err := os.ReadDir(filepath.Join(dir, "bodies"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket})
	if err != nil {
		t.Fatal(err)
	}
	if n := int(*list.KeyCount); n < len(answered) || n > len(answered)+4 || len(bodies) != n {
		t.Errorf("%d objects and %d bodies; %d puts were answered and 4 at most were on their way", n, len(bodies), len(answered))
	}
}

func sumOf(ctx context.Context, api *s3.Client, bucket *string, key string) ([sha256.Size]byte, error) {
	out, err := api.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String(key)})
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	defer func() { _ = out.Body.Close() }()
	data, err := io.ReadAll(out.Body)
	return sha256.Sum256(data), err
}
