package unixsock

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// unitAndPod returns the systemd unit and the pod of the process at the other end of
// a socket. A PID may belong to another process by the time it is looked up. The
// kernel gives a handle of the process that connected (Linux 6.5), and the cgroup
// counts only if that process still exists after it was read. Both are empty on an
// older kernel, and for processes that this one does not see.
func unitAndPod(fd int, pid int32) (unit, pod string) {
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
	// The handle becomes readable when its process ends.
	polled := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
	if n, err := unix.Poll(polled, 0); err != nil || n != 0 {
		return "", ""
	}
	return parseCgroup(string(text))
}
