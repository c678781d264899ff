package unixsock

import (
	"fmt"
	"net"

	"github.com/brokerd/brokerd/internal/access"
)

// Peer returns the process that made a connection to a Unix socket, as the kernel
// reports it.
func Peer(conn net.Conn) (access.Peer, error) {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return access.Peer{}, fmt.Errorf("the kernel does not identify the peer of a %T connection", conn)
	}
	raw, err := unixConn.SyscallConn()
	if err != nil {
		return access.Peer{}, fmt.Errorf("reading the peer's identity: %w", err)
	}
	var p access.Peer
	var perr error
	if err := raw.Control(func(fd uintptr) {
		if p, perr = kernelPeer(int(fd)); perr == nil {
			p.Unit, p.Pod = unitAndPod(int(fd), p.PID)
		}
	}); err != nil {
		return access.Peer{}, fmt.Errorf("reading the peer's identity: %w", err)
	}
	if perr != nil {
		return access.Peer{}, fmt.Errorf("reading the peer's identity: %w", perr)
	}
	return p, nil
}
