package unixsock

import (
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/access"
)

// maxGroups is the kernel's limit of supplementary groups (NGROUPS_MAX).
const maxGroups = 65536

func kernelPeer(fd int) (access.Peer, error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return access.Peer{}, err
	}
	p := access.Peer{UID: c.Uid, GID: c.Gid, PID: c.Pid}
	if p.Groups, err = peerGroups(fd); err != nil {
		return access.Peer{}, fmt.Errorf("reading its groups: %w", err)
	}
	p.SameNamespaces = (c.Uid == 0 || c.Uid == uint32(os.Geteuid())) && sameNamespaces(fd, c.Uid, c.Pid)
	return p, nil
}

// peerGroups returns the supplementary groups that the peer had when it connected.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno == unix.ENOPROTOOPT || errno == unix.ENODATA: // before Linux 4.13; a peer without credentials
			return nil, nil
		case errno != unix.ERANGE || size/4 > maxGroups:
			return nil, errno
		}
		groups = make([]uint32, size/4)
	}
}

// peerHandle returns a handle of the process that connected. Before Linux 6.5 the kernel
// gives none, and the handle is that of the process which has its number now.
func peerHandle(fd int, pid int32) (int, error) {
	if handle, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD); err == nil {
		return handle, nil
	}
	return unix.PidfdOpen(int(pid), 0)
}

// sameNamespaces reports whether the process that connected is in the PID namespace and
// in the user namespace of this process. It reports false when it cannot know the first.
//
// The kernel tells the PID namespace of a handle to everybody. It tells the user namespace
// of a process only to those that may see the process: where /proc hides the processes of
// other users (hidepid, ProtectProc=), the PID namespace alone counts for root.
func sameNamespaces(fd int, uid uint32, pid int32) bool {
	if pid <= 0 { // it has no number in this PID namespace
		return false
	}
	handle, err := peerHandle(fd, pid)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(handle) }()
	if !samePIDNamespace(handle, pid) || !sameUserNamespace(uid, pid) {
		return false
	}
	// The handle becomes readable when its process ends. Until then the number was its own.
	polled := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
	n, err := unix.Poll(polled, 0)
	return err == nil && n == 0
}

func samePIDNamespace(handle int, pid int32) bool {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", handle))
	if err != nil {
		return false
	}
	return onlyPID(string(info)) == strconv.Itoa(int(pid))
}

func sameUserNamespace(uid uint32, pid int32) bool {
	peers := fmt.Sprintf("/proc/%d/", pid)
	own, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return false
	}
	if link, err := os.Readlink(peers + "ns/user"); err == nil {
		return link == own
	}
	// Another user's link cannot be read, but its map can.
	ownMap, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	peerMap, err := os.ReadFile(peers + "uid_map")
	switch {
	case err == nil:
		return string(peerMap) == string(ownMap)
	case os.IsNotExist(err), os.IsPermission(err):
		return uid == 0 && os.Geteuid() != 0 // hidden; a process of the own user is not
	default:
		return false
	}
}
