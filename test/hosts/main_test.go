package hosts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

var binaries string // the directory in which TestMain built the programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "brokerd-hosts-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binaries = dir
	if err := os.Chmod(dir, 0o755); err != nil { // other users run the programs as well
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../cmd/brokerd",
		"../../cmd/brokerctl").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// process is a running brokerd.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait; valid after exited
	socket string
}

// start starts brokerd with stderr as its log, and waits until it is ready. change may
// alter the command before that.
func start(t *testing.T, st *testbedtest.Bed, stderr *os.File, change ...func(*exec.Cmd)) *process {
	t.Helper()
	p := &process{exited: make(chan struct{}), socket: st.SocketPath}
	p.cmd = exec.Command(filepath.Join(binaries, "brokerd"), "serve", "--config", st.ConfigPath)
	p.cmd.Stderr, p.cmd.Stdout = stderr, stderr
	p.cmd.Env = append(os.Environ(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull)
	for _, c := range change {
		c(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
	})
	p.brokerctl(t, 0, "wait", "--timeout", "30s")
	return p
}

// stop sends SIGTERM and waits for an end with status 0.
func (p *process) stop(t *testing.T, within time.Duration) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stopping brokerd: %v", err)
	}
	select {
	case <-p.exited:
		if p.err != nil {
			t.Errorf("brokerd ended with %v, want status 0", p.err)
		}
	case <-time.After(within):
		t.Errorf("brokerd is still running %s after SIGTERM", within)
	}
}

// running fails the test if the process has ended.
func (p *process) running(t *testing.T) {
	t.Helper()
	select {
	case <-p.exited:
		t.Fatalf("brokerd has ended: %v", p.err)
	default:
	}
}

// brokerctl runs brokerctl, and fails the test on another exit status than want. It
// returns stdout and stderr together.
func (p *process) brokerctl(t *testing.T, want int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "brokerctl"), append([]string{"--socket", p.socket}, args...)...)
	out, err := cmd.CombinedOutput()
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("brokerctl %v: %v", args, err)
	}
	if code != want {
		t.Fatalf("brokerctl %v: got exit status %d, want %d\n%s", args, code, want, out)
	}
	return string(out)
}

func (p *process) dial(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.Dial(p.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// logFile is a log in a file, which is read by a test and never stands still.
func logFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(f.Name())
			t.Logf("the log:\n%s", text)
		}
		_ = f.Close()
	})
	return f
}

// collector reads a pipe to its end.
type collector struct {
	mu   sync.Mutex
	text bytes.Buffer
	done chan struct{}
}

func collect(r io.Reader) *collector {
	c := &collector{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		buf := make([]byte, 64<<10)
		for {
			n, err := r.Read(buf)
			c.mu.Lock()
			c.text.Write(buf[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return c
}

// contains fails the test if one of the texts is missing.
func contains(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in\n%s", w, text)
		}
	}
}

// eventually repeats check until it returns true.
func eventually(t *testing.T, what string, check func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !check() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("30 s without: %s", what)
		}
	}
}

// edit replaces text in the configuration file.
func edit(t *testing.T, st *testbedtest.Bed, old, text string) {
	t.Helper()
	data, err := os.ReadFile(st.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%q is not in\n%s", old, data)
	}
	if err := os.WriteFile(st.ConfigPath, bytes.Replace(data, []byte(old), []byte(text), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}
