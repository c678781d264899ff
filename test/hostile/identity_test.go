//go:build linux

package hostile

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	ownPIDs  = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
	ownUsers = syscall.CLONE_NEWUSER
)

// identityAttacks claim to be another user than the kernel says.
func identityAttacks() []Attack {
	var out []Attack
	add := func(as Actor, calls []call, change func(*Attack)) {
		for _, c := range calls {
			a := Attack{Area: "identity", Name: as.Name + " " + c.name, As: as, Try: func(ctx context.Context, t *Target) Outcome {
				return refused(c.do(ctx, t))
			}}
			if change != nil {
				change(&a)
			}
			out = append(out, a)
		}
	}
	root := Actor{Name: "uid 0"}
	daemon := Actor{Name: "the daemon's uid", UID: daemonUID, GID: daemonUID, Groups: []uint32{connectGID}}
	bobsRoot := Actor{Name: "bob", MapFrom: bobUID, Groups: []uint32{connectGID}}
	daemonsRoot := Actor{Name: "the daemon's uid", MapFrom: daemonUID, Groups: []uint32{connectGID}}
	realRoot := Actor{Name: "uid 0", MapFrom: 0, Groups: []uint32{connectGID}}

	unmapped := bobsRoot.in("as root of his user namespace", ownUsers)
	add(root.in("of a container", ownPIDs), adminCalls()[1:9], nil)
	add(root.in("of a container", ownPIDs), dataCalls("audit-logs"), nil)
	add(daemon.in("in a container", ownPIDs), adminCalls()[1:9], nil)
	add(daemon.in("in a container", ownPIDs), dataCalls("audit-logs"), nil)
	add(bobsRoot.in("as root of his user namespace", ownUsers), adminCalls()[1:9], nil)
	add(daemonsRoot.in("as root of a user namespace", ownUsers), adminCalls()[1:9], nil)
	add(daemonsRoot.in("as root of a rootless container", ownUsers|ownPIDs), adminCalls()[6:9], nil)
	add(realRoot.in("of a user namespace with the host's root", ownUsers), adminCalls()[6:9], nil)
	// A pod with shareProcessNamespace: one PID namespace for all containers.
	never := func(a *Attack) { a.Config = ownerIsNoAdmin }
	add(Actor{Name: "uid 0 in the daemon's own namespaces, switched off"}, adminCalls()[6:7], never)
	inKubernetes := func(a *Attack) { a.Environment = []string{"KUBERNETES_SERVICE_HOST=10.0.0.1"} }
	add(Actor{Name: "uid 0 of a pod that shares its processes"}, adminCalls()[6:7], inKubernetes)

	out = append(out,
		Attack{Area: "identity", Name: "mallory by a group that she is not in", As: mallory, Try: func(ctx context.Context, t *Target) Outcome {
			_, err := t.dial().Upload(ctx, "dumps", "planted", strings.NewReader("x"))
			return refused(err)
		}},
		Attack{Area: "identity", Name: "a user without a number, by a group's rule", As: mallory,
			Daemon: partialNamespace, Config: ruleForConnected,
			Try: func(ctx context.Context, t *Target) Outcome {
				_, err := t.dial().Upload(ctx, "dumps", "planted", strings.NewReader("x"))
				return refused(err)
			}},
		Attack{Area: "identity", Name: "a rule for 65534 in a user namespace", As: unmapped, Try: ruleFor("65534")},
		Attack{Area: "identity", Name: "a rule for an unmapped number", As: unmapped, Try: ruleFor("1234")},
	)
	return out
}

func ownerIsNoAdmin(text string) string {
	return strings.Replace(text, "socket:\n", "socket:\n  owner_is_admin: false\n", 1)
}

// partialNamespace starts the daemon in a user namespace that maps the daemon and alice.
func partialNamespace(attr *syscall.SysProcAttr) {
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = identical(daemonUID, aliceUID, bobUID)
	attr.GidMappings = identical(daemonUID, connectGID, loggersGID)
	attr.GidMappingsEnableSetgroups = true
}

func identical(ids ...int) []syscall.SysProcIDMap {
	var out []syscall.SysProcIDMap
	for _, id := range ids {
		out = append(out, syscall.SysProcIDMap{ContainerID: id, HostID: id, Size: 1})
	}
	return out
}

// ruleForConnected lets the group of the socket upload to dumps.
func ruleForConnected(text string) string {
	return strings.ReplaceAll(text, `gid: "64111"`, `gid: "64110"`)
}

// ruleFor checks a configuration whose rule names a number that stands for strangers.
func ruleFor(uid string) func(context.Context, *Target) Outcome {
	return func(ctx context.Context, t *Target) Outcome {
		path := filepath.Join(t.Dir, "brokerd.yaml")
		text := "destinations:\n  logs: {compatible: true, bucket: aaa, region: r, key: \"logs/{id}\"}\n" +
			"access:\n  - {peer: {uid: \"" + uid + "\"}, destinations: [logs], allow: [upload]}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return skipped("%v", err)
		}
		out, err := exec.CommandContext(ctx, filepath.Join(t.Programs, "brokerd"), "check-config", "--config", path).CombinedOutput()
		if err == nil {
			return gotIn("the rule is accepted: %s", out)
		}
		if !strings.Contains(string(out), "user namespace") {
			return gotIn("refused for another reason: %s", out)
		}
		return held("%s", strings.TrimSpace(string(out)))
	}
}

// The owner of the host still administers: a refusal of everybody would hold all attacks.
func TestTheOwnerAdministers(t *testing.T) {
	needsRoot(t)
	a := newArena(t)
	a.start(t, a.text, nil)
	for _, as := range []Actor{{Name: "root"}, {Name: "the daemon's user", UID: daemonUID, GID: daemonUID}} {
		cmd := exec.Command(filepath.Join(binaries, "brokerctl"), "--socket", a.target.Socket, "sessions")
		cmd.SysProcAttr = as.attributes()
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "hidden-treasure") {
			t.Errorf("%s: %v\n%s", as.Name, err, out)
		}
	}
	text, err := os.ReadFile(a.daemon.log)
	must(t, err)
	if n := strings.Count(string(text), `"administrator call"`); n != 2 {
		t.Errorf("got %d audit lines, want 2", n)
	}
}

// A member of a group that a rule names uploads, also by a supplementary group.
func TestMembersOfAGroupUpload(t *testing.T) {
	needsRoot(t)
	a := newArena(t)
	a.start(t, a.text, nil)
	member := Actor{UID: malloryUID, GID: malloryUID, Groups: []uint32{connectGID, loggersGID}}
	cmd := exec.Command(filepath.Join(binaries, "brokerctl"), "--socket", a.target.Socket, "upload", "-d", "dumps", "--name", "n", "-")
	cmd.Stdin, cmd.SysProcAttr = strings.NewReader("x"), member.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
