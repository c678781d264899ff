package hosts

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// attacker is the user whose directory is watched. It has neither the files nor the rights
// of the daemon.
const attacker = 65533

// asAttacker runs a shell script as the attacker, in the directory.
func asAttacker(dir, script string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: attacker, Gid: attacker}}
	return cmd
}

// watchedBed is a bed with a watch of a directory that belongs to the attacker.
func watchedBed(t *testing.T) (st *testbedtest.Bed, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: the files belong to another user")
	}
	st = testbedtest.New(t)
	dir = filepath.Join(openDir(t), "drop")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, attacker, attacker); err != nil {
		t.Fatal(err)
	}
	appendWatch(t, st, fmt.Sprintf(`watch:
  - name: drop
    paths: ["%s/**/*.log"]
    destination: %s
    owner: {uid: "%d"}
    after: delete
    scan: 100ms
    finished: {idle: 100ms}
`, dir, testbed.Destination, attacker))
	return st, dir
}

// openDir is a directory that every user may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "watched")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func appendWatch(t *testing.T, st *testbedtest.Bed, text string) {
	t.Helper()
	f, err := os.OpenFile(st.ConfigPath, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// awaitWatch waits for a state of the only watch.
func (p *process) awaitWatch(t *testing.T, what string, ok func(*brokerdv1.Watch) bool) {
	t.Helper()
	c := p.dial(t)
	limit := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := c.Admin().ListWatches(t.Context(), &brokerdv1.ListWatchesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if ok(list.GetWatches()[0]) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("never seen: %s; the watch is %v", what, list.GetWatches()[0])
		}
	}
}

// noSecret fails when an object holds the secret.
func noSecret(t *testing.T, st *testbedtest.Bed, secret string) (objects int) {
	t.Helper()
	all := st.Sandbox.Objects(testbed.Bucket)
	for _, o := range all {
		_, body, err := st.Sandbox.Object(testbed.Bucket, o.Key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		_ = body.Close()
		if err != nil || strings.Contains(string(data), secret) {
			t.Errorf("%s holds the secret (%v)", o.Key, err)
		}
	}
	return len(all)
}

const secret = "only root may read this"

// The daemon runs as root, which makes every mistake count. The attacker owns the watched
// directory and cannot read the secret.
func TestNoUserShipsAFileThatIsNotTheirs(t *testing.T) {
	st, dir := watchedBed(t)
	hidden := openDir(t)
	if err := os.WriteFile(filepath.Join(hidden, "shadow.log"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(`set -e
echo honest > honest.log
ln -s HIDDEN/shadow.log link.log
ln -s HIDDEN sub
ln -s /proc/1/environ proc.log
ln -s /etc/shadow etc.log
ln HIDDEN/shadow.log hard.log 2>/dev/null || true
mkfifo fifo.log
mkdir d
ln -s ../../../../../../HIDDEN/shadow.log d/dots.log
echo mine > two.log
ln two.log other-name
`, "HIDDEN", hidden)
	if out, err := asAttacker(dir, script).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// What the attacker could not do by itself, with fs.protected_hardlinks.
	_ = os.Remove(filepath.Join(dir, "hard.log"))
	if err := os.Link(filepath.Join(hidden, "shadow.log"), filepath.Join(dir, "hard.log")); err != nil {
		t.Fatal(err)
	}
	// A file of root that is alone in the directory, for example one that root left there.
	if err := os.WriteFile(filepath.Join(dir, "roots.log"), []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, st, logFile(t))
	p.awaitWatch(t, "one delivered file and eight refused ones", func(w *brokerdv1.Watch) bool {
		return w.GetStored() == 1 && w.GetFiles()["refused"] == 8 && w.GetFiles()["waiting"] == 0
	})
	if n := noSecret(t, st, secret); n != 1 {
		t.Errorf("%d objects, want 1", n)
	}
	out := p.brokerctl(t, 0, "watch", "ls", "--state", "refused")
	for _, want := range []string{"links", "owner", "kind", "link.log", "hard.log", "fifo.log", "roots.log", "two.log", "dots.log", "etc.log",
		"proc.log"} {
		if !strings.Contains(out, want) {
			t.Errorf("`watch ls` does not show %q:\n%s", want, out)
		}
	}
	p.stop(t, 45*time.Second)
}

// The attacker swaps a directory, and a file, for links as fast as it can, while the
// daemon delivers.
func TestSwappedPathsShipNothing(t *testing.T) {
	st, dir := watchedBed(t)
	hidden := openDir(t)
	if err := os.Mkdir(filepath.Join(hidden, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.log", "d/a.log"} {
		if err := os.WriteFile(filepath.Join(hidden, name), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	swap := asAttacker(dir, strings.ReplaceAll(`while :; do
mkdir -p d; echo mine > d/a.log; echo mine > a.log
mv d e 2>/dev/null; ln -s HIDDEN/d d; rm -f a.log; ln -s HIDDEN/a.log a.log
rm -f d a.log; rm -rf e
done`, "HIDDEN", hidden))
	p := start(t, st, logFile(t))
	if err := swap.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = swap.Process.Kill(); _ = swap.Wait() })
	p.awaitWatch(t, "many found files", func(w *brokerdv1.Watch) bool { return w.GetFound() > 60 })
	if err := swap.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	noSecret(t, st, secret)
	for _, name := range []string{"a.log", "d/a.log"} {
		if data, err := os.ReadFile(filepath.Join(hidden, name)); err != nil || string(data) != secret {
			t.Errorf("%s was touched: %q, %v", name, data, err)
		}
	}
	p.running(t)
}

// A daemon without rights on the directory delivers, keeps what it cannot remove, and
// sends nothing twice. check-config names the missing rights.
func TestADaemonWithoutRightsSaysWhichAreMissing(t *testing.T) {
	st, dir := watchedBed(t)
	if out, err := asAttacker(dir, "echo readable > a.log; echo not > b.log; chmod 600 b.log; chmod 644 a.log").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := filepath.WalkDir(st.Dir, func(name string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(name, nobody, nobody)
	}); err != nil {
		t.Fatal(err)
	}
	as := func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	check := exec.Command(filepath.Join(binaries, "brokerd"), "check-config", "--config", st.ConfigPath)
	as(check)
	out, err := check.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "b.log: permission denied") ||
		!strings.Contains(string(out), dir+": files cannot be removed or moved") {
		t.Errorf("check-config: %v\n%s", err, out)
	}
	p := start(t, st, logFile(t), as)
	if text := p.brokerctl(t, 0, "verify", testbed.Destination, "-o", "json"); !strings.Contains(text, "BRK-HOST-006") ||
		!strings.Contains(text, "b.log: permission denied") {
		t.Errorf("verify does not name the missing right:\n%s", text)
	}
	p.awaitWatch(t, "one file that is delivered and stays, and one that cannot be read", func(w *brokerdv1.Watch) bool {
		return w.GetStored() == 1 && w.GetFiles()["removing"] == 1 && w.GetFiles()["retrying"] == 1
	})
	text := p.brokerctl(t, 0, "watch", "ls")
	if !strings.Contains(text, "give the daemon's user the right to read it") ||
		!strings.Contains(text, "give the daemon the right to write to the directory") {
		t.Errorf("`watch ls` does not name the repair:\n%s", text)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "b.log"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.brokerctl(t, 0, "watch", "retry", "--all")
	p.awaitWatch(t, "no file is left", func(w *brokerdv1.Watch) bool { return w.GetStored() == 2 && len(w.GetFiles()) == 0 })
	if n := noSecret(t, st, secret); n != 2 {
		t.Errorf("%d objects, want 2", n)
	}
	p.stop(t, 45*time.Second)
}
