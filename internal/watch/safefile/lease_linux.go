package safefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// Writers probes whether a process has the file open for writing, or has a shared writable
// mapping of it. It takes a read lease and gives it back at once: the kernel refuses the
// lease while there is a writer.
func Writers(f *os.File) Writer {
	raw, err := f.SyscallConn()
	if err != nil {
		return WritersUnknown
	}
	if cerr := raw.Control(func(fd uintptr) {
		if _, err = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK); err == nil {
			_, _ = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK) // it ends with the descriptor at the latest
		}
	}); cerr != nil {
		return WritersUnknown
	}
	switch err {
	case nil:
		return NoWriter
	case unix.EAGAIN:
		return HasWriter
	}
	return WritersUnknown // EACCES: not the owner, and no CAP_LEASE; EINVAL: no leases here
}
