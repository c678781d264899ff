package unixsock

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/reason"
)

// CheckDescriptor returns an error with the reason DESCRIPTOR_REFUSED unless f is a
// regular file of a local file system that is open for reading. The peer may send the
// bytes of any other file in a stream.
func CheckDescriptor(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return refused("%v", err)
	}
	var refusal error
	if err := raw.Control(func(fd uintptr) { refusal = checkFD(int(fd)) }); err != nil {
		return refused("%v", err)
	}
	return refusal
}

func refused(format string, args ...any) error {
	return reason.New(reason.DescriptorRefused, "the daemon does not read this file: "+format+"; send its bytes in a stream", args...)
}

func checkFD(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return refused("fstat failed: %v", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return refused("it is not a regular file")
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return refused("fcntl failed: %v", err)
	}
	if mode := flags & unix.O_ACCMODE; mode != unix.O_RDONLY && mode != unix.O_RDWR {
		return refused("it is not open for reading")
	}
	return checkFileSystem(fd, flags)
}
