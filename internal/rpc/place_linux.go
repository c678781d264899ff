package rpc

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// placeOf says where the process at the other end of a socket runs. A number can be
// another process's by the time it is looked up: the kernel gives a handle of the
// very process that connected, and what was read counts only if that one was still
// there afterwards. It is not known before Linux 6.5, nor of processes that this
// one does not see.
func placeOf(fd int, pid int32) (unit, pod string) {
	if pid <= 0 {
		return "", ""
	}
	handle, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if err != nil {
		return "", ""
	}
	defer func() { _ = unix.Close(handle) }()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", ""
	}
	// A handle becomes readable when its process ends.
	polled := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
	if n, err := unix.Poll(polled, 0); err != nil || n != 0 {
		return "", ""
	}
	return placeIn(string(text))
}
