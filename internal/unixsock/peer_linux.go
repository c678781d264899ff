package unixsock

import (
	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/access"
)

func kernelPeer(fd int) (access.Peer, error) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return access.Peer{}, err
	}
	return access.Peer{UID: c.Uid, GID: c.Gid, PID: c.Pid}, nil
}
