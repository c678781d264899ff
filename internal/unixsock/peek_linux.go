package unixsock

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// startPeeking makes peek begin at the first byte that is not read yet.
func startPeeking(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := raw.Control(func(fd uintptr) {
		serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEEK_OFF, 0)
	}); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", serr)
}

// peek waits for bytes of conn that it has not returned yet, and leaves them in the
// socket. Without room for a control message it takes no descriptor. At the end of the
// stream it returns 0 and no error.
func peek(conn *net.UnixConn, dst []byte) (n int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var rerr error
	if err := raw.Read(func(fd uintptr) bool {
		for {
			n, _, rerr = unix.Recvfrom(int(fd), dst, unix.MSG_PEEK|unix.MSG_DONTWAIT)
			if !errors.Is(rerr, unix.EINTR) {
				return !errors.Is(rerr, unix.EAGAIN)
			}
		}
	}); err != nil {
		return 0, err
	}
	if rerr != nil {
		return 0, fmt.Errorf("looking at a connection: %w", rerr)
	}
	return n, nil
}
