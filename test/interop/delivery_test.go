//go:build interop

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

var binaries string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "interop-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binaries = dir
	cmd := exec.Command("go", "build", "-o", dir+"/", "github.com/brokerd/brokerd/cmd/brokerd", "github.com/brokerd/brokerd/cmd/brokerctl")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// result is a line of brokerctl upload -o json.
type result struct {
	State, Key, Error, Reason string
	ServerSideEncryption      string `json:"server_side_encryption"`
	KMSKeyARN                 string `json:"kms_key_arn"`
	Size                      int64
	Parts                     int
}

// daemon starts brokerd for a destination of this server.
func daemon(t *testing.T, s *server, destination string) (socket string) {
	t.Helper()
	path, socket := s.config(t, destination)
	run(t, nil, filepath.Join(binaries, "brokerd"), "serve", "--config", path)
	out, err := brokerctl(t, nil, socket, "wait", "--timeout", "20s")
	if err != nil {
		t.Fatalf("brokerctl wait: %v\n%s", err, out)
	}
	return socket
}

func brokerctl(t *testing.T, stdin io.Reader, socket string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(binaries, "brokerctl"), append(args, "--socket", socket)...)
	cmd.Stdin = stdin
	return cmd.Output()
}

func upload(t *testing.T, stdin io.Reader, socket string, args ...string) (result, error) {
	t.Helper()
	out, err := brokerctl(t, stdin, socket, append([]string{"upload", "-d", "logs", "-o", "json", "-q"}, args...)...)
	var res result
	line, _, _ := bytes.Cut(out, []byte("\n"))
	if jsonErr := json.Unmarshal(line, &res); jsonErr != nil {
		t.Fatalf("brokerctl upload printed no JSON: %v\n%s", jsonErr, out)
	}
	return res, err
}

// deliveries is the suite that every server runs: sizes around every boundary,
// by file and by standard input, read back byte for byte past the daemon.
func deliveries(t *testing.T, s *server, destination, encryption string) {
	socket := daemon(t, s, destination)
	const part = 8 << 20
	for name, size := range map[string]int{
		"empty": 0, "one byte": 1, "16 KiB": 16 << 10, "a part": part, "a part and a byte": part + 1, "40 MiB": 40 << 20,
	} {
		data := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(size), 3}).Read(data)
		file := filepath.Join(t.TempDir(), "object.log")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, way := range []string{"file", "standard input"} {
			t.Run(name+" by "+way, func(t *testing.T) {
				var res result
				var err error
				if way == "file" {
					res, err = upload(t, nil, socket, file)
				} else {
					res, err = upload(t, bytes.NewReader(data), socket, "--name", "app/from-stdin.log", "-")
				}
				if err != nil || res.State != "stored" || res.Size != int64(size) {
					t.Fatalf("%v: %+v", err, res)
				}
				if res.ServerSideEncryption != encryption {
					t.Errorf("encryption %q, want %q", res.ServerSideEncryption, encryption)
				}
				got, err := s.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(res.Key)})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = got.Body.Close() }()
				stored, err := io.ReadAll(got.Body)
				if err != nil || !bytes.Equal(stored, data) {
					t.Errorf("the object differs: %d bytes, %v", len(stored), err)
				}
			})
		}
	}
	s.noUploadsLeft(t)
}

func (s *server) noUploadsLeft(t *testing.T) {
	t.Helper()
	out, err := s.s3.ListMultipartUploads(context.WithoutCancel(t.Context()), &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Uploads) != 0 {
		t.Errorf("%d multipart uploads are left", len(out.Uploads))
	}
}

func TestMinIOWithAssumedRoleAndKMS(t *testing.T) {
	s := startMinIO(t)
	deliveries(t, s, "    role: arn:aws:iam::111122223333:role/ignored-by-minio\n    kms_key: my-key", "aws:kms")
}

func TestMinIORefusesAnUnknownKey(t *testing.T) {
	s := startMinIO(t)
	socket := daemon(t, s, "    kms_key: another-key")
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := upload(t, nil, socket, file)
	if err == nil || res.State == "stored" || res.Reason != "KMS_KEY_UNUSABLE" {
		t.Errorf("an object was stored under a key that does not exist: %+v", res)
	}
}

func TestVersityGW(t *testing.T) {
	s := startVersityGW(t)
	deliveries(t, s, "", "")
}

// versitygw ignores the encryption headers and confirms nothing. The daemon must
// not call that stored.
func TestVersityGWThatIgnoresEncryptionIsFoundOut(t *testing.T) {
	s := startVersityGW(t)
	socket := daemon(t, s, "    kms_key: my-key")
	for name, size := range map[string]int{"put": 10, "multipart": 9 << 20} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		res, err := upload(t, nil, socket, file)
		if err == nil || res.State == "stored" || !strings.Contains(res.Error+res.Reason, "RESPONSE_MISMATCH") {
			t.Errorf("%s: %v, %+v", name, err, res)
		}
	}
	s.noUploadsLeft(t)
}
