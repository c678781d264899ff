package client

import (
	"fmt"
	"net"
	"syscall"
)

// serverUser returns the user that listened on the socket, as the kernel recorded it.
func serverUser(conn net.Conn) (uid uint32, known bool, err error) {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, false, fmt.Errorf("a %T has no peer", conn)
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return 0, false, err
	}
	var cred *syscall.Ucred
	var cerr error
	if err := raw.Control(func(fd uintptr) {
		cred, cerr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return 0, false, err
	}
	if cerr != nil {
		return 0, false, cerr
	}
	return cred.Uid, true, nil
}
