package intake

import (
	"os"

	"golang.org/x/sys/unix"
)

// readAhead tells the kernel that the file is read from front to back. It is a hint.
func readAhead(f *os.File, offset, size int64) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), offset, size, unix.FADV_SEQUENTIAL) })
}
