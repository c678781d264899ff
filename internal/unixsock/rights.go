package unixsock

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// rightsRoom has room for two descriptors. One is right, two show that the peer sent
// too many. The kernel closes those that do not fit.
var rightsRoom = unix.CmsgSpace(2 * 4)

// excess says why fewer descriptors were taken than the peer sent.
type excess int

const (
	noExcess  excess = iota
	tooMany          // the peer sent more than one
	noneFree         // this process, or this host, has no descriptor free
	malformed        // the control message cannot be parsed
)

// readRights reads bytes and the descriptors that came with them, close-on-exec.
func readRights(conn *net.UnixConn, dst []byte) (n int, files []*os.File, x excess, err error) {
	oob := make([]byte, rightsRoom)
	n, oobn, flags, _, err := conn.ReadMsgUnix(dst, oob)
	if oobn > 0 {
		var ok bool
		if files, ok = rights(oob[:oobn]); !ok {
			x = malformed
		}
	}
	if flags&unix.MSG_CTRUNC != 0 {
		// The kernel sets it for both causes. With a free descriptor it fills the room.
		if x = noneFree; len(files) == 2 {
			x = tooMany
		}
	} else if len(files) > 1 {
		x = tooMany
	}
	if err == nil && n == 0 && len(dst) > 0 {
		err = io.EOF
	}
	return n, files, x, err
}

// rights parses control messages, and reports whether they are well-formed. It skips
// messages that carry no descriptors.
func rights(oob []byte) (files []*os.File, ok bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, false
	}
	for i := range msgs {
		fds, err := unix.ParseUnixRights(&msgs[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	return files, true
}
