//go:build unix

package s3client

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// readable says whether something waits to be read: bytes, the end or an error.
func readable(c syscall.RawConn) bool {
	waits := false
	err := c.Control(func(fd uintptr) {
		var b [1]byte
		_, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		waits = err != unix.EAGAIN && err != unix.EWOULDBLOCK && err != unix.EINTR
	})
	return waits || err != nil
}
