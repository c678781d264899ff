//go:build linux

package hostile

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTheProcessAttacksWorkOnAnUndefendedProcess runs each attack of the area on a process
// of the attacker's own user, with files, directories and a socket that everybody may
// change. An attack that is held there proves nothing about the daemon.
func TestTheProcessAttacksWorkOnAnUndefendedProcess(t *testing.T) {
	needsRoot(t)
	for _, attack := range processAttacks() {
		t.Run(attack.Name, func(t *testing.T) {
			if strings.HasSuffix(attack.Name, "attaches a debugger") {
				scope, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
				if err == nil && strings.TrimSpace(string(scope)) != "0" {
					t.Skipf("this host restricts debuggers (ptrace_scope is %s)", strings.TrimSpace(string(scope)))
				}
			}
			if attack.Name == "a core dump" {
				var limit syscall.Rlimit
				if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err != nil || limit.Max == 0 {
					t.Skipf("the test itself may have no core dump (limit %+v, %v)", limit, err)
				}
			}
			a := undefended(t, attack.As)
			if out := a.try(t, attack); !out.GotIn || out.Skipped != "" {
				t.Errorf("the attack does not work without a defence: %+v", out)
			}
		})
	}
}

// undefended is an arena without a daemon: a process of the user runs in its place, and
// every user may change the files.
func undefended(t *testing.T, as Actor) *arena {
	t.Helper()
	base, err := os.MkdirTemp("", "undefended-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	must(t, os.Chmod(base, 0o755))
	a := &arena{base: base, target: Target{
		RunDir: filepath.Join(base, "run"), StateDir: filepath.Join(base, "state"), Programs: binaries,
		Socket: filepath.Join(base, "run", "brokerd.sock"), VendSocket: filepath.Join(base, "run", "vend.sock"),
	}}
	for _, dir := range []string{"home", "etc", "run", "state", "state/spool", "state/spool/queue"} {
		must(t, os.Mkdir(filepath.Join(base, dir), 0o755))
	}
	must(t, os.Chmod(a.target.RunDir, 0o777))
	for _, file := range []string{"etc/credentials", "etc/brokerd.yaml", "etc/bob.token", "run/brokerd.sock.lock"} {
		path := filepath.Join(base, file)
		must(t, os.WriteFile(path, []byte("x"), 0o600))
		must(t, os.Chmod(path, 0o666)) // whatever the umask says
	}
	for _, socket := range []string{a.target.Socket, a.target.VendSocket} {
		l, err := net.Listen("unix", socket)
		must(t, err)
		t.Cleanup(func() { _ = l.Close() })
		must(t, os.Chmod(socket, 0o666))
	}
	// The limit of core dumps is raised where the host allows it.
	cmd := exec.Command("sh", "-c", "ulimit -c unlimited 2>/dev/null || ulimit -c hard; exec cat")
	cmd.SysProcAttr = as.attributes()
	stdin, err := cmd.StdinPipe() // cat runs until it closes
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_, err = stdin.Write([]byte("x"))
	must(t, err)
	_, err = stdout.Read(make([]byte, 1)) // cat runs, and the shell has gone
	must(t, err)
	a.daemon = &process{cmd: cmd}
	return a
}
