package daemon

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// log collects the daemon's output.
type log struct {
	mu     sync.Mutex
	b      bytes.Buffer
	daemon *Daemon // its queued lines belong to the text
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	if l.daemon != nil {
		_ = l.daemon.log.Flush(context.Background())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// systemd is the other end of sd_notify.
type systemd struct {
	conn *net.UnixConn
	told chan string
}

func notifiedBy(t *testing.T) *systemd {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	s := &systemd{conn: conn, told: make(chan string, 1000)}
	go func() {
		defer close(s.told)
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			for line := range strings.SplitSeq(string(buf[:n]), "\n") {
				s.told <- line
			}
		}
	}()
	t.Cleanup(func() { _ = conn.Close() })
	return s
}

// hears waits for a line.
func (s *systemd) hears(t *testing.T, want string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case got := <-s.told:
			if strings.HasPrefix(got, want) {
				return
			}
		case <-limit:
			t.Fatalf("systemd never heard %q", want)
		}
	}
}

type running struct {
	*client.Client
	stop context.CancelFunc
	done chan error
	log  *log
}

// start runs a daemon in this process until stop.
func start(t *testing.T, cfg *config.Config) *running {
	t.Helper()
	r := &running{done: make(chan error, 1), log: &log{}}
	d, err := New(cfg, "test", r.log)
	if err != nil {
		t.Fatal(err)
	}
	r.log.daemon = d
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() { r.done <- d.Run(ctx) }()
	if r.Client, err = client.Dial(cfg.Socket.Path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = r.Close()
		if t.Failed() {
			t.Log(r.log.String())
		}
	})
	return r
}

func TestTwoThousandSmallFilesCostOneAssumeRole(t *testing.T) {
	st := testbedtest.New(t)
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1")
	const files = 2000
	sums := make(map[string][32]byte, files)
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(32)
	for i := range files {
		group.Go(func() error {
			data := make([]byte, 16<<10)
			_, _ = rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(data)
			res, err := d.Upload(ctx, testbed.Destination, fmt.Sprintf("app/%d.log", i), bytes.NewReader(data))
			if err != nil {
				return fmt.Errorf("file %d: %w", i, err)
			}
			mu.Lock()
			defer mu.Unlock()
			sums[res.Key] = sha256.Sum256(data)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := len(st.Sandbox.Objects(testbed.Bucket)); n != files || len(sums) != files {
		t.Errorf("%d objects under %d keys, want %d", n, len(sums), files)
	}
	for key, want := range sums {
		_, body, err := st.Sandbox.Object(testbed.Bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		_ = body.Close()
		if err != nil || sha256.Sum256(data) != want {
			t.Fatalf("%s differs (%v)", key, err)
		}
	}
	if n := st.Sandbox.CountCalls("sts", "AssumeRole"); n != 1 {
		t.Errorf("%d AssumeRole calls", n)
	}
	d.stop()
	sd.hears(t, "STOPPING=1")
	if err := <-d.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := os.Lstat(st.SocketPath); err == nil {
		t.Error("the socket stays behind")
	}
}

func TestOpenUploadSurvivesTheStop(t *testing.T) {
	st := testbedtest.New(t)
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1")
	in, out := io.Pipe()
	uploaded := make(chan error, 1)
	go func() {
		_, err := d.Upload(t.Context(), testbed.Destination, "open", in)
		uploaded <- err
	}()
	if _, err := out.Write(make([]byte, 9<<20)); err != nil { // more than the buffers in between hold
		t.Fatal(err)
	}
	d.stop()
	sd.hears(t, "STOPPING=1")
	if _, err := out.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	if err := <-uploaded; err != nil {
		t.Errorf("the open upload: %v", err)
	}
	if err := <-d.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	objs := st.Sandbox.Objects(testbed.Bucket)
	if len(objs) != 1 || objs[0].Size != 10<<20 {
		t.Errorf("objects: %+v", objs)
	}
}

func TestStuckUploadIsCutAndAborted(t *testing.T) {
	st := testbedtest.New(t)
	st.Config.Shutdown.Grace = config.Duration(200 * time.Millisecond)
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1")
	in, out := io.Pipe()
	uploaded := make(chan error, 1)
	go func() {
		_, err := d.Upload(t.Context(), testbed.Destination, "stuck", in)
		uploaded <- err
	}()
	if _, err := out.Write(make([]byte, 20<<20)); err != nil {
		t.Fatal(err)
	}
	d.stop()
	if err := <-d.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	_ = out.CloseWithError(io.ErrClosedPipe)
	if err := <-uploaded; err == nil {
		t.Error("a cut upload was reported as stored")
	}
	if objs, ups := st.Sandbox.Objects(testbed.Bucket), st.Sandbox.MultipartUploads(testbed.Bucket); len(objs)+len(ups) != 0 {
		t.Errorf("left behind: %v %v", objs, ups)
	}
}

func TestMetricsAndLogShowTheWorkAndNoSecret(t *testing.T) {
	st := testbedtest.New(t)
	st.Config.Metrics.Address = "127.0.0.1:0"
	st.Config.Log.Level = "debug"
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1")
	if _, err := d.Upload(t.Context(), testbed.Destination, "n", strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	url := regexp.MustCompile(`http://[^"]+/metrics`).FindString(d.log.String())
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`brokerd_uploads_total{destination="audit-logs",reason="STORED"} 1`,
		`brokerd_upload_bytes_total{destination="audit-logs"} 5`,
		`brokerd_session_refreshes_total{destination="audit-logs",result="ok"} 1`,
		`brokerd_session_expires_in_seconds{destination="audit-logs"} 35`,
		`brokerd_session_served_total{destination="audit-logs",state="fresh"} `,
		`brokerd_session_served_total{destination="audit-logs",state="critical"} 0`,
		`brokerd_session_sts_calls_total{destination="audit-logs"} 1`,
		`brokerd_session_vended_total{destination="audit-logs"} 0`,
		`brokerd_session_waiters{destination="audit-logs"} 0`,
		`brokerd_session_limiter_wait_seconds_total{destination="audit-logs"} `,
		`brokerd_last_stored_timestamp_seconds{destination="audit-logs"}`,
		`grpc_server_handled_total{grpc_code="OK",grpc_method="Upload"`,
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
	keys, err := os.ReadFile(filepath.Join(st.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(string(keys), "aws_secret_access_key = ")
	secret = strings.TrimSpace(secret)
	for where, text := range map[string]string{"log": d.log.String(), "metrics": string(page)} {
		if strings.Contains(text, secret) || strings.Contains(text, "ASIA") {
			t.Errorf("a secret or a session's key is in the %s", where)
		}
	}
}

func TestUnreachableAWSDegradesAndNamesTheNetwork(t *testing.T) {
	st := testbedtest.New(t)
	dead := "https://127.0.0.1:1"
	st.Config.AWS.Endpoints = config.Endpoints{STS: dead, S3: dead, KMS: dead}
	sd := notifiedBy(t)
	d := start(t, st.Config)
	sd.hears(t, "READY=1") // an outage of AWS is no reason not to start
	sd.hears(t, "STATUS=DEGRADED: 0 of 1 destinations")
	_, err := d.Upload(t.Context(), testbed.Destination, "n", strings.NewReader("x"), client.WithRetry(0))
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "SESSION_UNAVAILABLE") {
		t.Errorf("got %v", err)
	}
}

func TestSecondDaemonOnTheSameSocketIsRefused(t *testing.T) {
	st := testbedtest.New(t)
	sd := notifiedBy(t)
	start(t, st.Config)
	sd.hears(t, "READY=1")
	second, err := New(st.Config, "test", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another process is listening") {
		t.Errorf("got %v", err)
	}
}
