package s3client

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// sendQueue returns how many bytes the kernel holds that the peer has not acknowledged.
func sendQueue(c syscall.RawConn) int64 {
	queued := 0
	err := c.Control(func(fd uintptr) {
		if n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			queued = n
		}
	})
	if err != nil {
		return 0
	}
	return int64(queued)
}
