//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/testbed"
)

// ctl is a brokerctl that uses the daemon of r.
func (r *running) ctl(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binaries, "brokerctl"), args...)
	cmd.Env = append(os.Environ(), "BROKERD_SOCKET="+r.SocketPath, "NO_COLOR=1")
	return cmd
}

// shell runs a script with brokerctl on the path; $D is the destination.
func (r *running) shell(script string) *exec.Cmd {
	cmd := exec.Command("bash", "-c", script)
	cmd.Env = append(os.Environ(), "BROKERD_SOCKET="+r.SocketPath, "NO_COLOR=1", "D="+testbed.Destination,
		"PATH="+binaries+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return cmd
}

// result runs cmd to its end, at most most long.
func result(t *testing.T, cmd *exec.Cmd, most time.Duration) (code int, out string) {
	t.Helper()
	var text bytes.Buffer
	cmd.Stdout, cmd.Stderr = &text, &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return await(t, cmd, most), text.String()
}

func await(t *testing.T, cmd *exec.Cmd, most time.Duration) (code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	unhook := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer unhook()
	err := cmd.Wait()
	if ctx.Err() != nil {
		t.Errorf("%v did not end within %s", cmd.Args, most)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func (r *running) names(t *testing.T) (names []string) {
	t.Helper()
	for _, o := range r.Sandbox.Objects(testbed.Bucket) {
		names = append(names, o.Key)
	}
	return names
}

// A producer that thinks, or that writes a little at a time, is no dead client.
func TestSlowProducersAreServed(t *testing.T) {
	r := startWith(t, "", func(text string) string { return text + "\nlimits: {idle_timeout: 1s}\n" })
	for name, producer := range map[string]string{
		"silent at first": "(sleep 3; echo late)",
		"trickles":        "(for i in 1 2 3 4; do echo $i; sleep 0.7; done)",
		"pauses":          "(echo first; sleep 3; echo last)",
	} {
		if code, out := result(t, r.shell(producer+" | brokerctl upload -d $D --name slow.txt -"), 30*time.Second); code != 0 {
			t.Errorf("%s: exit code %d: %s", name, code, out)
		}
	}
}

// Ctrl-C and SIGTERM end a command that waits for its input within a second.
func TestSignalsEndACommandThatWaitsForInput(t *testing.T) {
	r := start(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"standard input":     {"upload", "-d", testbed.Destination, "--name", "n", "-"},
		"a list":             {"upload", "-d", testbed.Destination, "--files-from", "-"},
		"a named pipe":       {"upload", "-d", testbed.Destination, fifo},
		"a named pipe, sum":  {"upload", "-d", testbed.Destination, "--sha256", strings.Repeat("0", 64), fifo},
		"a list in a pipe":   {"upload", "-d", testbed.Destination, "--files-from", fifo},
		"a command's output": {"upload", "-d", testbed.Destination, "--name", "n", "--run", "sleep 1000 | sleep 1000"},
		"policies":           {"policy", "lint", "-"},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			cmd := r.ctl(args...)
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			awaitBlocked(t, cmd.Process.Pid)
			began := time.Now()
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if code := await(t, cmd, 20*time.Second); code != 130 {
				t.Errorf("%s, %s: exit code %d, want 130: %s", name, sig, code, out.String())
			}
			if took := time.Since(began); took > 5*time.Second { // about 0.7 s on an idle machine
				t.Errorf("%s, %s: ended after %s", name, sig, took)
			}
			_ = stdin.Close()
		}
	}
	if n := r.names(t); len(n) != 0 {
		t.Errorf("objects came of it: %v", n)
	}
}

// awaitBlocked waits until the process waits for input: one of its threads is in a read
// of standard input or in the open of a file, or it has a child.
func awaitBlocked(t *testing.T, pid int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/task", pid)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		tasks, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			children, _ := os.ReadFile(filepath.Join(dir, task.Name(), "children"))
			call, _ := os.ReadFile(filepath.Join(dir, task.Name(), "syscall")) // the thread may have ended
			var number int
			var first uint64
			n, _ := fmt.Sscanf(string(call), "%d 0x%x", &number, &first)
			if len(children) > 0 || n == 2 && (number == unix.SYS_READ && first == 0 || number == unix.SYS_OPENAT) {
				return
			}
		}
		_ = unix.Nanosleep(&unix.Timespec{Nsec: 5e6}, nil)
	}
	t.Fatal("the command does not wait for input")
}

// A daemon that is stopped looks like a long delivery; every command finds out.
func TestAFrozenDaemonIsNoticed(t *testing.T) {
	r := start(t)
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Signal(syscall.SIGCONT) })
	type end struct {
		name, out string
		code      int
	}
	commands := map[string]*exec.Cmd{
		"a file":         r.ctl("upload", "-d", testbed.Destination, "--retry-for", "0", file),
		"standard input": r.shell("echo x | brokerctl upload -d $D --retry-for 0 --name n -"),
		"credentials":    r.ctl("credentials", testbed.Destination),
		"status":         r.ctl("status"),
		"wait":           r.ctl("wait", "--timeout", "8s"),
	}
	ends := make(chan end, len(commands))
	for name, cmd := range commands {
		go func() {
			code, out := result(t, cmd, 60*time.Second)
			ends <- end{name, out, code}
		}()
	}
	for range commands {
		if e := <-ends; e.code != 75 || !strings.Contains(e.out, "no sign of life") {
			t.Errorf("%s: exit code %d, want 75: %s", e.name, e.code, e.out)
		}
	}
}

// Many commands at a time wait for the rate limit, instead of failing.
func TestTheRateLimitIsWaitedFor(t *testing.T) {
	r := startWith(t, "", func(text string) string {
		return strings.Replace(text, "allow: [", "allow: [credentials, ", 1) + "\nlimits: {credentials_per_second: 2}\n"
	})
	code, out := result(t, r.shell(`for i in $(seq 10); do brokerctl credentials $D >/dev/null & pids="$pids $!"; done
failed=0; for p in $pids; do wait $p || failed=1; done; exit $failed`), 60*time.Second)
	if code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// Errors of the socket that no retry heals are final at once, and say what to do.
func TestErrorsOfTheSocketAreSorted(t *testing.T) {
	r := start(t)
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	l, err := net.Listen("unix", other)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("220 ready\r\n"))
		}
	}()
	for name, tc := range map[string]struct {
		socket string
		code   int
		says   string
	}{
		"a file":                 {file, 78, "it is a file, not a socket"},
		"a directory":            {dir, 78, "it is a directory, not a socket"},
		"below a file":           {file + "/s", 78, "not a directory"},
		"too long":               {"/" + strings.Repeat("x", 200), 78, "at most 107"},
		"another program":        {other, 78, "another program answers"},
		"nothing there, not yet": {filepath.Join(dir, "none"), 75, "no such file"},
	} {
		for _, args := range [][]string{
			{"upload", "-d", testbed.Destination, "--retry-for", "0", file},
			{"credentials", testbed.Destination}, {"wait", "--timeout", "2s"},
		} {
			if args[0] == "upload" && name == "another program" {
				continue // it says so on the way of the stream only
			}
			if args[0] == "wait" && tc.code == 78 {
				args[2] = "20s"
			}
			began := time.Now()
			code, out := result(t, r.ctl(append(args, "--socket", tc.socket)...), 30*time.Second)
			if code != tc.code || !strings.Contains(out, tc.says) {
				t.Errorf("%s, %s: exit code %d, want %d: %s", name, args[0], code, tc.code, out)
			}
			if took := time.Since(began); tc.code == 78 && took > 15*time.Second {
				t.Errorf("%s, %s: ended after %s", name, args[0], took)
			}
		}
	}
	if os.Getuid() != 0 {
		t.Skip("another user needs root")
	}
	for _, p := range []string{filepath.Dir(r.SocketPath), binaries} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(r.SocketPath, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{dir, file} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"upload", "-d", testbed.Destination, "--name", "n", "-"}, {"upload", "-d", testbed.Destination, file}, {"wait", "--timeout", "30s"},
		{"wait", "nosuch"}, {"credentials", testbed.Destination}, {"exec", testbed.Destination, "--", "true"}, {"status"}, {"sessions"},
		{"reload"}, {"drain"}, {"spool", "ls"}, {"status", "--socket", link},
	} {
		cmd := r.ctl(args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65533, Gid: 65533}}
		cmd.Stdin = strings.NewReader("x")
		began := time.Now()
		code, out := result(t, cmd, 30*time.Second)
		if code != 77 || !strings.Contains(out, "permission denied") || !strings.Contains(out, "group") || time.Since(began) > 10*time.Second {
			t.Errorf("%v as another user: exit code %d after %s, want 77: %s", args, code, time.Since(began), out)
		}
	}
}

// The end of a pipe is no proof that its producer succeeded.
func TestOnlyWholeOutputIsStored(t *testing.T) {
	r := start(t)
	sum := "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" // of "x"
	for name, tc := range map[string]struct {
		script string
		code   int
	}{
		"the command succeeds":      {`brokerctl upload -d $D --name ok-run --run 'printf x'`, 0},
		"the command fails":         {`brokerctl upload -d $D --name bad --run 'printf x; exit 3'`, 1},
		"a part of its pipe fails":  {`brokerctl upload -d $D --name bad --run '(printf x; exit 3) | cat'`, 1},
		"the command is killed":     {`brokerctl upload -d $D --name bad --run 'printf x; kill -9 $$'`, 1},
		"there is no such command":  {`brokerctl upload -d $D --name bad --run 'no-such-command-here'`, 1},
		"the size fits":             {`printf xyz | brokerctl upload -d $D --name ok-size --expect-size 3 -`, 0},
		"too short":                 {`printf xy | brokerctl upload -d $D --name bad --expect-size 3 -`, 1},
		"too long":                  {`printf xyz1 | brokerctl upload -d $D --name bad --expect-size 3 -`, 1},
		"a file that is longer":     {`printf xyz1 > f; brokerctl upload -d $D --name bad --expect-size 3 f`, 1},
		"the sum fits":              {`printf x | brokerctl upload -d $D --name ok-sum --sha256 ` + sum + ` -`, 0},
		"another sum":               {`printf y | brokerctl upload -d $D --name bad --sha256 ` + sum + ` -`, 1},
		"another sum of a file":     {`printf y > f; brokerctl upload -d $D --name bad --sha256 ` + sum + ` f`, 1},
		"closed standard input":     {`brokerctl upload -d $D --name bad - <&-`, 64},
		"a closed list":             {`brokerctl upload -d $D --files-from - <&-`, 64},
		"an empty list":             {`true | brokerctl upload -d $D --files-from -`, 64},
		"empty on purpose":          {`brokerctl upload -d $D --name ok-empty - </dev/null`, 0},
		"no name in UTF-8":          {`f=$(printf 'caf\351'); echo x > "$f"; brokerctl upload -d $D "$f"`, 1},
		"no name in UTF-8, escaped": {`f=$(printf 'caf\351'); echo x > "$f"; brokerctl upload -d $D --escape-names "$f"`, 0},
		"names that end with a NUL": {`mkdir l; printf x > l/1; printf 'l/1\0' | brokerctl upload -d $D --name-prefix ok- -0 ` +
			`--files-from -`, 0},
		"the report cannot be written": {`printf x > ok-full; brokerctl upload -d $D ok-full > /dev/full`, 74},
	} {
		cmd := r.shell(tc.script)
		cmd.Dir = t.TempDir()
		if code, out := result(t, cmd, 60*time.Second); code != tc.code {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, tc.code, out)
		}
	}
	keys := strings.Join(r.names(t), " ")
	for _, want := range []string{"ok-run", "ok-size", "ok-sum", "ok-empty", "ok-1", "ok-full", "caf%25E9"} {
		if !strings.Contains(keys, want) {
			t.Errorf("%s is not stored: %s", want, keys)
		}
	}
	if strings.Contains(keys, "bad") {
		t.Errorf("a part is stored: %s", keys)
	}
}

// A daemon with few file descriptors is busy; it does not blame its callers.
func TestAShortageOfDescriptorsIsTemporary(t *testing.T) {
	r := startWith(t, "ulimit -n 64;", nil)
	cmd := r.shell(`for i in $(seq 60); do echo $i > f$i; done; brokerctl upload -d $D -j 60 -o json f*`)
	cmd.Dir = t.TempDir()
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	code := await(t, cmd, 90*time.Second)
	stored := 0
	for line := range strings.SplitSeq(strings.TrimSpace(out.String()), "\n") {
		var o struct {
			State, Reason, Error string
			Retryable            bool
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch {
		case o.State == "stored":
			stored++
		case !o.Retryable:
			t.Errorf("final: %s [%s]", o.Error, o.Reason)
		}
	}
	if code != 0 && code != 75 || stored == 0 {
		t.Errorf("exit code %d, %d of 60 stored", code, stored)
	}
	if !strings.Contains(r.log.String(), "limit of open files") {
		t.Errorf("the limit is not in the log: %s", r.log)
	}
}

// A cleaner that removes the socket's file does not make the daemon unreachable.
func TestARemovedSocketIsCreatedAgain(t *testing.T) {
	r := start(t)
	for _, victim := range []string{r.SocketPath, r.SocketPath + ".lock"} {
		if err := os.Remove(victim); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := result(t, r.ctl("wait", "--timeout", "20s"), 30*time.Second); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	if !strings.Contains(r.log.String(), "removed by another program") {
		t.Errorf("not in the log: %s", r.log)
	}
	if out, err := exec.Command(filepath.Join(binaries, "brokerd"), "serve", "--config", r.ConfigPath).CombinedOutput(); err == nil {
		t.Errorf("a second daemon could start: %s", out)
	}
}
