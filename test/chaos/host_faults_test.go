package chaos

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
)

// hostFault is a fault of the host that one life of brokerd runs under.
type hostFault int

const (
	noHostFault hostFault = iota
	logStalls             // the reader of the log stops reading after some lines
	logDies               // the reader of the log closes its end after some lines
	fewFiles              // the limit of open files is far below the need
	frozen                // SIGSTOP for a while, as by the cgroup freezer
	hostFaults            // their number
)

func (f hostFault) String() string {
	return [...]string{"none", "the log's reader stalls", "the log's reader dies", "few open files", "frozen"}[f]
}

// fewFilesLimit is the limit of open files of a life under fewFiles: the callers alone
// need more.
const fewFilesLimit = 64

// logFile connects the log of a process to the file, through a reader with the fault.
// The returned descriptor is that of the process; close it after the start.
func (f hostFault) logFile(file *os.File, rng *rand.Rand) (stderr *os.File, err error) {
	if f != logStalls && f != logDies {
		return file, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	after := int64(1000 + rng.IntN(20_000))
	out, err := os.OpenFile(file.Name(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	go func() {
		defer func() { _ = out.Close() }()
		_, _ = io.CopyN(out, r, after) // then the reader stands still
		if f == logStalls {
			// The pipe is full from now on. It is closed when the process has ended: then
			// this poll reports that no writer is left.
			for {
				n, err := unix.Poll([]unix.PollFd{{Fd: int32(r.Fd()), Events: unix.POLLHUP}}, -1)
				if err != unix.EINTR || n > 0 {
					break
				}
			}
			_, _ = io.Copy(out, r)
		}
		_ = r.Close()
	}()
	return w, nil
}

// limitFiles makes a command run under the limit of open files.
func limitFiles(cmd *exec.Cmd) {
	cmd.Args = append([]string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, fewFilesLimit), "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
}

// freeze stops the process for a while, until it is time for its end.
func (p *process) freeze(ctx context.Context, rng *rand.Rand) {
	length := time.Duration(200+rng.IntN(1500)) * time.Millisecond
	p.asked.Go(func() {
		if p.cmd.Process.Signal(syscall.SIGSTOP) != nil {
			return
		}
		timer := time.NewTimer(length)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may have ended
	})
}

// frozenClients are brokerctl processes that were stopped in the middle of an upload
// and never go on. Their uploads must not become objects.
type frozenClients struct {
	socket string
	count  atomic.Int64
}

// run freezes one client after the other until ctx ends.
func (c *frozenClients) run(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		cmd := exec.CommandContext(ctx, filepath.Join(binaries, "brokerctl"), "--socket", c.socket, "upload", "-d",
			destinations[int(c.count.Load())%len(destinations)], "--name", "frozen", "-")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Error(err)
			return
		}
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		_, _ = in.Write(make([]byte, 300<<10)) // more than one chunk: the stream has begun
		_ = cmd.Process.Signal(syscall.SIGSTOP)
		timer := time.NewTimer(3 * time.Second)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		_ = cmd.Process.Kill()
		_ = in.Close()
		_ = cmd.Wait()
		c.count.Add(1)
	}
}

// proxy is an HTTP proxy between brokerd and S3, which refuses while told to.
type proxy struct {
	listener net.Listener
	refuse   atomic.Bool
	refused  atomic.Int64
	tunnels  atomic.Int64
	open     sync.WaitGroup
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l}
	p.open.Go(p.serve)
	t.Cleanup(func() { _ = l.Close(); p.open.Wait() })
	return p
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.open.Go(func() { p.tunnel(c) })
	}
}

// tunnel answers one CONNECT.
func (p *proxy) tunnel(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	req, err := http.ReadRequest(in)
	if err != nil || req.Method != http.MethodConnect {
		return
	}
	if p.refuse.Load() {
		p.refused.Add(1)
		_, _ = io.WriteString(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
		return
	}
	out, err := net.Dial("tcp", req.Host)
	if err != nil {
		return
	}
	defer func() { _ = out.Close() }()
	p.tunnels.Add(1)
	if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(out, in); _ = out.(*net.TCPConn).CloseWrite() })
	both.Go(func() { _, _ = io.Copy(c, out); _ = c.(*net.TCPConn).CloseWrite() })
	both.Wait()
}

// hangFile makes the credential command of brokerd hang while it exists.
func hangFile(dir string) string { return filepath.Join(dir, "hang") }

// credentialCommand writes a script that prints the source credentials, or hangs while
// the file exists, and returns the command line.
func credentialCommand(t *testing.T, st *testbedtest.Bed) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(st.Dir, "credentials"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, "="); ok {
			keys[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	script := fmt.Sprintf("#!/bin/sh\n[ -e '%s' ] && sleep 1063\nprintf '{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\"}'\n",
		hangFile(st.Dir), keys["aws_access_key_id"], keys["aws_secret_access_key"])
	path := filepath.Join(st.Dir, "credentials.sh")
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// hangCommand makes the credential command hang, and ends the sessions, so that the
// command is run.
func hangCommand(ctx context.Context, st *testbedtest.Bed) error {
	if err := os.WriteFile(hangFile(st.Dir), nil, 0o600); err != nil {
		return err
	}
	return expireSessions(ctx, st)
}

func releaseCommand(_ context.Context, st *testbedtest.Bed) error { return os.Remove(hangFile(st.Dir)) }
