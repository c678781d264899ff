//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"golang.org/x/sync/errgroup"
)

const (
	bodySize = 64 << 20
	bodies   = 48 // a round: 3 GiB
	inFlight = 4
	rounds   = 3
)

// server is a process that takes PUTs.
type server struct {
	name   string
	start  func(b *testing.B, addr string) *exec.Cmd
	bucket bool // has to be made first

	wall, cpu time.Duration
}

// TestMain is also the bare server, the baseline: a Go program that writes the body of
// each PUT to a file.
func TestMain(m *testing.M) {
	if addr := os.Getenv("BENCH_BARE_SERVER"); addr != "" {
		fmt.Fprintln(os.Stderr, http.ListenAndServe(addr, http.HandlerFunc(keep)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func keep(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		return
	}
	path := filepath.Join(os.Getenv("BENCH_DIR"), strings.ReplaceAll(r.URL.Path, "/", "_"))
	f, err := os.Create(path)
	if err == nil {
		_, err = io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{r.Body}, make([]byte, 256<<10))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// BenchmarkSandboxPut measures the sandbox as the S3 server of a benchmark: 64 MiB PUTs
// over plain HTTP on loopback, four in flight. It checks signatures and policies, and
// no digests.
//
// Set $VERSITYGW to a versitygw binary to measure it as well.
func BenchmarkSandboxPut(b *testing.B) {
	dir := b.TempDir()
	brokerctl := filepath.Join(dir, "brokerctl")
	if out, err := exec.Command("go", "build", "-o", brokerctl, "../cmd/brokerctl").CombinedOutput(); err != nil {
		b.Fatalf("building brokerctl: %v\n%s", err, out)
	}
	sandbox := func(flags ...string) func(b *testing.B, addr string) *exec.Cmd {
		return func(b *testing.B, addr string) *exec.Cmd {
			cmd := exec.Command(brokerctl, append([]string{"sandbox", "--plain-http", "--addr", addr, "--root-key-a",
				accessKey + ":" + secretKey}, flags...)...)
			cmd.Env = append(os.Environ(), "TMPDIR="+b.TempDir(), "XDG_RUNTIME_DIR="+b.TempDir())
			return cmd
		}
	}
	servers := []*server{
		{name: "bare", start: func(b *testing.B, addr string) *exec.Cmd {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "BENCH_BARE_SERVER="+addr, "BENCH_DIR="+b.TempDir())
			return cmd
		}},
		{name: "sandbox", start: sandbox("--skip-checksums"), bucket: true},
		{name: "sandbox-verifying", start: sandbox(), bucket: true},
	}
	if path := os.Getenv("VERSITYGW"); path != "" {
		servers = append(servers, &server{name: "versitygw", bucket: true, start: func(b *testing.B, addr string) *exec.Cmd {
			cmd := exec.Command(path, "--port", addr, "--access", accessKey, "--secret", secretKey, "--region", region, "--quiet", "posix",
				b.TempDir())
			return cmd
		}})
	}
	n := 0
	for b.Loop() {
		for range rounds {
			for _, s := range servers {
				s.round(b)
			}
		}
		n++
	}
	perCore := func(s *server) float64 { return float64(n) * rounds * bodies * bodySize / 1e6 / s.cpu.Seconds() }
	for _, s := range servers {
		b.ReportMetric(perCore(s), s.name+"-MB/cpu-s")
		b.ReportMetric(float64(n)*rounds*bodies*bodySize/1e6/s.wall.Seconds(), s.name+"-MB/s")
		if s != servers[0] {
			b.ReportMetric(perCore(s)/perCore(servers[0]), s.name+"/bare")
		}
	}
}

// round starts the server, sends it the bodies and stops it. The CPU time includes the
// server's start.
func (s *server) round(b *testing.B) {
	addr := freeAddress(b)
	cmd := s.start(b, addr)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	url := "http://" + addr
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight, DisableCompression: true, WriteBufferSize: 256 << 10}}
	defer client.CloseIdleConnections()
	for range 200 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if s.bucket {
		constraint := `<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>` + region +
			`</LocationConstraint></CreateBucketConfiguration>`
		if err := put(b.Context(), client, url+"/bench", []byte(constraint)); err != nil {
			b.Fatalf("%s: %v", s.name, err)
		}
	}
	body := make([]byte, bodySize)
	began := time.Now()
	var group errgroup.Group
	group.SetLimit(inFlight)
	for i := range bodies {
		group.Go(func() error { return put(b.Context(), client, fmt.Sprintf("%s/bench/%d", url, i%inFlight), body) })
	}
	err := group.Wait()
	s.wall += time.Since(began)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait() // a bare server dies of the signal
	if err != nil {
		b.Fatalf("%s: %v", s.name, err)
	}
	s.cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

func put(ctx context.Context, client *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	const unsigned = "UNSIGNED-PAYLOAD"
	req.Header.Set("X-Amz-Content-Sha256", unsigned)
	if err := v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, req, unsigned, "s3",
		region, time.Now()); err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if !slices.Contains([]int{http.StatusOK, http.StatusCreated}, resp.StatusCode) {
		return fmt.Errorf("%s: %s", resp.Status, text)
	}
	return nil
}

func freeAddress(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
