package access

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// overflowID is the kernel's default for ids that a user namespace does not map.
const overflowID = 65534

// Host holds the facts about the daemon's own process that decisions depend on.
type Host struct {
	DaemonUID uint32
	// Container reports that the daemon runs in a container that may share its PID
	// namespace with containers of strangers.
	Container bool
	// Users and Groups are the ids of the daemon's user namespace.
	Users, Groups IDMap
	// OverflowUID and OverflowGID stand for all ids that the namespace does not map.
	// 0 stands for 65534.
	OverflowUID, OverflowGID uint32
}

// SystemHost reads the facts about this process. A fact that cannot be read gets the
// value that gives fewer rights.
func SystemHost() Host {
	return Host{
		DaemonUID: uint32(os.Geteuid()), Container: inContainer(os.Getenv),
		Users: readIDMap("/proc/self/uid_map"), Groups: readIDMap("/proc/self/gid_map"),
		OverflowUID: readID("/proc/sys/kernel/overflowuid"), OverflowGID: readID("/proc/sys/kernel/overflowgid"),
	}
}

// inContainer reports whether a runtime started this process that lets containers share a
// PID namespace: Kubernetes, or one that sets the variable of systemd's container
// interface, as Podman does. Docker's containers have a PID namespace each by default.
func inContainer(getenv func(string) string) bool {
	return getenv("KUBERNETES_SERVICE_HOST") != "" || getenv("container") != ""
}

func readIDMap(path string) IDMap {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) && runtime.GOOS != "linux" {
		return nil // a system without user namespaces
	}
	if err != nil {
		return IDMap{}
	}
	m, err := ParseIDMap(string(text))
	if err != nil {
		return IDMap{}
	}
	return m
}

func readID(path string) uint32 {
	text, err := os.ReadFile(path) // absent below ProcSubset=pid
	if err != nil {
		return overflowID
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return overflowID
	}
	return uint32(n)
}

func orDefault(id uint32) uint32 {
	if id == 0 {
		return overflowID
	}
	return id
}

// nameless reports whether peer has the overflow UID, which stands for every user
// without a number in the daemon's user namespace: several strangers share it.
func (h Host) nameless(peer Peer) bool {
	return !h.Users.Whole() && (peer.UID == orDefault(h.OverflowUID) || !h.Users.Contains(peer.UID))
}

// inGroup reports whether the peer is a member of the group, with its primary group or a
// supplementary one.
func (h Host) inGroup(peer Peer, gid uint32) bool {
	if !h.Groups.Whole() && gid == orDefault(h.OverflowGID) {
		return false
	}
	if peer.GID == gid {
		return true
	}
	for _, g := range peer.Groups {
		if g == gid {
			return true
		}
	}
	return false
}
