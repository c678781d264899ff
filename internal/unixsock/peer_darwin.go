package unixsock

import (
	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/access"
)

func kernelPeer(fd int) (access.Peer, error) {
	c, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return access.Peer{}, err
	}
	p := access.Peer{UID: c.Uid, SameNamespaces: true} // there are no others
	if c.Ngroups > 0 {
		p.GID, p.Groups = c.Groups[0], c.Groups[1:c.Ngroups]
	}
	return p, nil
}
