//go:build linux

package hostile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	// soakRole begins the role of a process that repeats the attacks of a kind of user.
	soakRole = "soak/"
	// soakHold is how long an attack stands in a soak.
	soakHold = 3 * time.Second
	// unitMemory is MemoryMax of the systemd unit, in bytes.
	unitMemory = 256 << 20
	// soakVariable is the duration of the soak, such as 1h.
	soakVariable = "BROKERD_SOAK"
)

// soakUsers are eight hostile users: the kind is the user whose attacks each repeats.
func soakUsers() map[string]Actor {
	user := func(name string, uid uint32, groups ...uint32) Actor {
		return Actor{Name: name, UID: uid, GID: uid, Groups: groups}
	}
	return map[string]Actor{
		"mallory/1": mallory, "mallory/2": user("mallory 2", 64151, connectGID), "eve/1": eve,
		"bob/1": bob, "bob/2": user("carol", 64152, connectGID), "bob/3": user("dave", 64153, connectGID),
		"bob/4": user("a user id of bob's", manyUIDs, connectGID, loggersGID),
		"bob/5": user("another user id of bob's", manyUIDs+1, connectGID, loggersGID),
	}
}

// repeat runs the attacks of a kind of user in a random order, until it is killed.
func repeat(t *Target, role string) int {
	kind, _, _ := strings.Cut(role, "/")
	var all []Attack
	for _, a := range sharesAttacks() {
		if a.As.Name == kind {
			all = append(all, a)
		}
	}
	for {
		ctx, cancel := context.WithTimeout(context.Background(), attackTimeout)
		all[rand.IntN(len(all))].Try(ctx, t)
		cancel()
	}
}

// TestAllAtOnce has eight hostile users attack at once, while alice uploads, and the daemon
// has the memory of the unit. It takes half a minute, or BROKERD_SOAK.
func TestAllAtOnce(t *testing.T) {
	needsRoot(t)
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	duration := 30 * time.Second
	if text := os.Getenv(soakVariable); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", soakVariable, err)
		}
	}
	a := newArena(t)
	a.start(t, a.text+`  - {peer: {uid: "64152"}, destinations: [dumps], allow: [upload, verify, credentials]}
  - {peer: {uid: "64153"}, destinations: [dumps], allow: [upload, verify, credentials]}
`, nil)
	confined := confine(t, a.daemon.cmd.Process.Pid)
	alone := a.honest.next(40)
	before := a.honest.count()
	var children []*exec.Cmd
	for role, as := range soakUsers() {
		cmd, err := a.childCommand(t, as, soakRole+role)
		must(t, err)
		must(t, cmd.Start())
		children = append(children, cmd)
	}
	defer func() {
		for _, c := range children {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}()
	end := time.After(duration)
	report := time.NewTicker(time.Minute)
	defer report.Stop()
	for running := true; running; {
		select {
		case <-end:
			running = false
		case <-report.C:
			t.Logf("alice so far: %s; memory of the daemon at most %s", a.honest.since(before), a.memory())
		case <-a.daemon.exited:
			t.Fatalf("the daemon ended: %v\n%s", a.daemon.err, a.logTail())
		}
	}
	a.honest.next(2) // an upload that waits belongs to the soak
	l := a.honest.since(before)
	t.Logf("8 hostile users for %s: alice %s (alone: %s); the daemon's memory at most %s, %s", duration, l, alone, a.memory(), confined)
	if l.Failed > 0 {
		t.Errorf("%d of alice's %d uploads failed: %s", l.Failed, l.N, l.Error)
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(a.memory(), " MiB")); err != nil || n<<20 >= unitMemory {
		t.Errorf("the daemon had %s, want less than %d MiB", a.memory(), unitMemory>>20)
	}
	if a.ended() {
		t.Errorf("the daemon ended: %v\n%s", a.daemon.err, a.logTail())
	}
}

// confine gives a process the memory of the unit, and returns how.
func confine(t *testing.T, pid int) string {
	t.Helper()
	for _, try := range []struct{ dir, file string }{{"/sys/fs/cgroup", "memory.max"}, {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}} {
		dir := filepath.Join(try.dir, fmt.Sprintf("brokerd-hostile-%d", pid))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() { _ = os.Remove(dir) }) // once the process has ended
		if os.WriteFile(filepath.Join(dir, try.file), []byte(strconv.Itoa(unitMemory)), 0o644) == nil &&
			os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644) == nil {
			return "in a memory cgroup of 256 MiB"
		}
	}
	return "without a cgroup, which this host does not give"
}
