//go:build linux

package hostile

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/client"
)

// listenAs listens on path as another user, as an attacker's process does. It returns a
// count of the bytes that the listener received.
func listenAs(t *testing.T, uid int, path string) *atomic.Int64 {
	t.Helper()
	type result struct {
		l   net.Listener
		err error
	}
	made := make(chan result)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine, and its user with it
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0)); errno != 0 {
			made <- result{nil, errno}
			return
		}
		l, err := net.Listen("unix", path)
		made <- result{l, err}
	}()
	r := <-made
	must(t, r.err)
	must(t, os.Chmod(path, 0o777))
	var received atomic.Int64
	go func() {
		for {
			c, err := r.l.Accept()
			if err != nil {
				return
			}
			go func() {
				buf := make([]byte, 4096)
				for {
					n, err := c.Read(buf)
					received.Add(int64(n))
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	t.Cleanup(func() { _ = r.l.Close() })
	return &received
}

// decoy is a socket of bob's that a client takes for the daemon's.
type decoy struct {
	name string
	make func(t *testing.T, dir string) (bind, path string)
	// user is the value of BROKERD_DAEMON_USER; empty: it is not set.
	user string
}

func decoys() []decoy {
	in := func(owner int, mode os.FileMode) func(*testing.T, string) (string, string) {
		return func(t *testing.T, dir string) (string, string) {
			return directory(t, filepath.Join(dir, "shared"), owner, mode), ""
		}
	}
	out := []decoy{
		{name: "in a directory that all may write to", make: in(0, 0o777)},
		{name: "in a directory with a sticky bit", make: in(0, 0o777|os.ModeSticky)},
		{name: "in a directory of bob's group", make: func(t *testing.T, dir string) (string, string) {
			shared := directory(t, filepath.Join(dir, "shared"), 0, 0o775)
			must(t, os.Chown(shared, 0, bobUID))
			return shared, ""
		}},
		{name: "in place of the directory in a pod's volume", make: func(t *testing.T, dir string) (string, string) {
			volume := directory(t, filepath.Join(dir, "volume"), 0, 0o777)
			return directory(t, filepath.Join(volume, "brokerd"), bobUID, 0o755), ""
		}},
		{name: "behind a link in a directory with a sticky bit", make: func(t *testing.T, dir string) (string, string) {
			shared := directory(t, filepath.Join(dir, "shared"), 0, 0o777|os.ModeSticky)
			bobs := directory(t, filepath.Join(dir, "bobs"), bobUID, 0o755)
			link := filepath.Join(shared, "brokerd.sock")
			must(t, os.Symlink(filepath.Join(bobs, "s"), link))
			return bobs, link
		}},
		{name: "left in the daemon's directory", make: in(daemonUID, 0o755)},
	}
	for _, d := range out {
		d.name += ", and the user is named"
		d.user = strconv.Itoa(daemonUID)
		out = append(out, d)
	}
	return out
}

func directory(t *testing.T, path string, owner int, mode os.FileMode) string {
	t.Helper()
	must(t, os.MkdirAll(path, 0o755))
	must(t, os.Chown(path, owner, owner))
	must(t, os.Chmod(path, mode))
	return path
}

// socketAttacks put another socket, or another directory, in the place of the daemon's.
func socketAttacks() []Attack {
	var out []Attack
	for _, d := range decoys() {
		var received *atomic.Int64
		out = append(out, Attack{
			Area: "socket", Name: "a socket of bob's " + d.name, As: alice,
			Prepare: func(t *testing.T, a *arena) {
				base, err := os.MkdirTemp(a.base, "d") // short: the path of a socket has a limit
				must(t, err)
				must(t, os.Chmod(base, 0o755))
				bind, path := d.make(t, base)
				if path == "" {
					path = filepath.Join(bind, "s")
				}
				info, err := os.Stat(bind)
				must(t, err)
				must(t, os.Chmod(bind, 0o777)) // bob was quicker than the daemon
				received = listenAs(t, bobUID, filepath.Join(bind, "s"))
				must(t, os.Chmod(bind, info.Mode()))
				a.target.Decoy = path
			},
			Try: func(ctx context.Context, t *Target) Outcome {
				if d.user != "" {
					_ = os.Setenv("BROKERD_DAEMON_USER", d.user)
				}
				c, err := client.Dial(t.Decoy)
				if err != nil {
					return skipped("%v", err)
				}
				_, err = c.Upload(ctx, "audit-logs", "secret.txt", strings.NewReader("alice's secret"))
				var e *client.Error
				if !errors.As(err, &e) || e.Reason != "SOCKET_UNTRUSTED" {
					return gotIn("alice's client spoke to bob: %v", err)
				}
				return held("%s: %s", e.Reason, e.Message)
			},
			Check: func(_ *testing.T, _ *arena) string {
				if n := received.Load(); n > 0 {
					return "bob received " + strconv.FormatInt(n, 10) + " bytes"
				}
				return ""
			},
		})
	}
	for _, c := range []struct {
		name  string
		owner int
		mode  os.FileMode
		want  string
	}{
		{"a directory that all may write to", 0, 0o777, "other users can replace the socket"},
		{"a directory that a group may write to", 0, 0o770, "other users can replace the socket"},
		{"a directory of bob's", bobUID, 0o777, "belongs to user"},
	} {
		out = append(out, Attack{Area: "socket", Name: "the daemon starts in " + c.name, As: mallory,
			Try: func(context.Context, *Target) Outcome { return held("the daemon does not start") },
			Check: func(t *testing.T, a *arena) string {
				dir := directory(t, filepath.Join(a.base, "start", strings.ReplaceAll(c.name, " ", "-")), c.owner, c.mode)
				must(t, os.Chown(dir, c.owner, daemonUID))
				return startsIn(t, a, dir, c.want)
			}})
	}
	out = append(out, Attack{Area: "socket", Name: "a lock that bob made first", As: mallory,
		Try: func(context.Context, *Target) Outcome { return held("the daemon does not start") },
		Check: func(t *testing.T, a *arena) string {
			dir := directory(t, filepath.Join(a.base, "start", "lock"), 0, 0o777|os.ModeSticky)
			must(t, os.WriteFile(filepath.Join(dir, "b.sock.lock"), nil, 0o666))
			must(t, os.Chmod(filepath.Join(dir, "b.sock.lock"), 0o666))
			must(t, os.Chown(filepath.Join(dir, "b.sock.lock"), bobUID, bobUID))
			return startsIn(t, a, dir, "another user")
		}})
	return out
}

// startsIn starts a second daemon with its socket in dir. It returns a sentence unless the
// daemon refuses to start with the text.
func startsIn(t *testing.T, a *arena, dir, want string) string {
	t.Helper()
	text := strings.NewReplacer(
		a.target.Socket, filepath.Join(dir, "b.sock"), a.target.Metrics, freeAddress(t), a.target.Vend, freeAddress(t),
		a.target.VendSocket, filepath.Join(dir, "v.sock"), filepath.Join(a.target.StateDir, "spool"), filepath.Join(a.target.StateDir, "spool2"),
	).Replace(a.text)
	path := filepath.Join(a.base, "etc", "second.yaml")
	must(t, os.WriteFile(path, []byte(text), 0o600))
	must(t, os.Chown(path, daemonUID, daemonUID))
	cmd := exec.CommandContext(t.Context(), filepath.Join(binaries, "brokerd"), "serve", "--config", path)
	cmd.Env = append(hostEnvironment(), "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+os.DevNull)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: daemonUID, Gid: daemonUID}, Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-t.Context().Done():
		return "the daemon starts"
	case <-time.After(5 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
		return "the daemon starts"
	}
	if !strings.Contains(log.String(), want) {
		return "the daemon ended for another reason: " + log.String()
	}
	return ""
}
