package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// running is a brokerd that serves a world of its own.
type running struct {
	*testbed.World
	cmd    *exec.Cmd
	client *client.Client
	log    *logged
}

// logged is the log of a process that still writes it.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func start(t *testing.T) *running {
	t.Helper()
	return startWith(t, "", nil)
}

// startWith runs the daemon with more configuration, below a shell prefix such as
// "ulimit -n 64;". change edits the whole configuration; nil: nothing.
func startWith(t *testing.T, prefix string, change func(text string) string) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "brokerd-drain-") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	sb, err := sandbox.New(sandbox.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	t.Cleanup(func() { _ = sb.Close() })
	w, err := testbed.Prepare(t.Context(), sb, dir, os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		text, err := os.ReadFile(w.ConfigPath)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.ConfigPath, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &running{World: w, cmd: exec.Command(filepath.Join(binaries, "brokerd"), "serve", "--config", w.ConfigPath), log: &logged{}}
	if prefix != "" {
		r.cmd = exec.Command("sh", "-c", prefix+` exec "$0" "$@"`, filepath.Join(binaries, "brokerd"), "serve", "--config", w.ConfigPath)
	}
	r.cmd.Stderr = r.log
	r.cmd.Env = append(os.Environ(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	if out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "brokerctl"), "wait", "--timeout", "20s", "--socket",
		w.SocketPath, testbed.Destination).CombinedOutput(); err != nil {
		t.Fatalf("waiting for brokerd: %v\n%s", err, out)
	}
	if r.client, err = client.Dial(w.SocketPath); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.client.Close() })
	return r
}

// gate hands out its first half at once and the rest when it is opened.
type gate struct {
	first, rest io.Reader
	begun       chan struct{}
	open        chan struct{}
	once        sync.Once
}

func (g *gate) Read(p []byte) (int, error) {
	if n, err := g.first.Read(p); err == nil {
		return n, nil
	}
	g.once.Do(func() { close(g.begun) })
	<-g.open
	return g.rest.Read(p)
}

func TestAnOpenUploadIsStoredAfterSIGTERM(t *testing.T) {
	r := start(t)
	half := strings.Repeat("x", 512<<10)
	g := &gate{first: strings.NewReader(half), rest: strings.NewReader(half), begun: make(chan struct{}), open: make(chan struct{})}
	sent := make(chan struct{})
	var once sync.Once
	type answer struct {
		res *client.Result
		err error
	}
	done := make(chan answer, 1)
	go func() {
		res, err := r.client.Upload(t.Context(), testbed.Destination, "slow.bin", g,
			client.WithProgress(func(int64) { once.Do(func() { close(sent) }) }))
		done <- answer{res, err}
	}()
	<-sent
	<-g.begun

	// The daemon says NOT_SERVING once it has begun to stop: from then on the upload is a leftover.
	watching, unwatch := context.WithCancel(t.Context())
	defer unwatch()
	watch, err := r.client.Health().Watch(watching, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		resp, err := watch.Recv()
		if err != nil || resp.GetStatus() == healthpb.HealthCheckResponse_NOT_SERVING {
			break
		}
	}
	unwatch()
	close(g.open)
	got := <-done
	if got.err != nil {
		t.Fatalf("the open upload failed: %v", got.err)
	}
	if got.res.Size != int64(2*len(half)) {
		t.Errorf("%d bytes stored, want %d", got.res.Size, 2*len(half))
	}
	if err := waitFor(t, r.cmd); err != nil {
		t.Errorf("brokerd did not stop in order: %v\n%s", err, r.log)
	}
	if _, err := os.Stat(r.SocketPath); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func waitFor(t *testing.T, cmd *exec.Cmd) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		_ = cmd.Process.Kill()
		return errors.Join(errors.New("still running after 20 s"), <-done)
	}
}

func TestAnUploadThatIsCutShortLeavesNothing(t *testing.T) {
	r := start(t)
	// Past one part, so that a multipart upload is open when the client goes.
	g := &gate{first: strings.NewReader(strings.Repeat("x", 20<<20)), rest: strings.NewReader(""), begun: make(chan struct{}),
		open: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := r.client.Upload(ctx, testbed.Destination, "cut.bin", g)
		done <- err
	}()
	<-g.begun
	cancel()
	close(g.open)
	if err := <-done; err == nil {
		t.Fatal("the cancelled upload reports success")
	}
	// Stopping waits for the clean-up of open uploads.
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := waitFor(t, r.cmd); err != nil {
		t.Errorf("brokerd did not stop in order: %v\n%s", err, r.log)
	}
	if n := len(r.Sandbox.Objects(testbed.Bucket)); n != 0 {
		t.Errorf("%d objects", n)
	}
	if open := r.Sandbox.MultipartUploads(testbed.Bucket); len(open) > 0 {
		t.Errorf("%d unfinished uploads left", len(open))
	}
}

func TestDemoCleansUpOnInterrupt(t *testing.T) {
	for name, by := range map[string]syscall.Signal{"Ctrl-C": syscall.SIGINT, "a terminal that is closed": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) { demoEnds(t, by) })
	}
}

func demoEnds(t *testing.T, by syscall.Signal) {
	dir, err := os.MkdirTemp("", "brokerd-int-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	// Where hangups are ignored, as under nohup, a child would ignore them, too.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	cmd := exec.Command(filepath.Join(binaries, "brokerctl"), "demo", "--keep")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var text strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(text.String(), "# brokerd: ") {
		n, err := out.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			t.Fatalf("the demonstration ended early: %v\n%s", err, text.String())
		}
	}
	pid := between(text.String(), "(pid ", ")")
	if err := cmd.Process.Signal(by); err != nil {
		t.Fatal(err)
	}
	if err := waitFor(t, cmd); err != nil {
		t.Errorf("exit: %v", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := os.Stat("/proc/" + pid); pid == "" || err == nil {
		t.Errorf("brokerd (pid %q) still runs", pid)
	}
}

func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}
