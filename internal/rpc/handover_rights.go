package rpc

import (
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// rightsRoom is for two descriptors: one is right, two show that it is too many,
// and the kernel closes what does not fit.
var rightsRoom = unix.CmsgSpace(2 * 4)

// readRights reads bytes and the descriptors that came with them, closed on exec.
// lost says that more descriptors came than were taken.
func readRights(conn *net.UnixConn, dst []byte) (n int, files []*os.File, lost bool, err error) {
	oob := make([]byte, rightsRoom)
	n, oobn, flags, _, err := conn.ReadMsgUnix(dst, oob)
	if oobn > 0 {
		files, lost = rights(oob[:oobn])
	}
	if flags&unix.MSG_CTRUNC != 0 {
		lost = true
	}
	if err == nil && n == 0 && len(dst) > 0 {
		err = io.EOF
	}
	return n, files, lost, err
}

// rights parses control messages. What is not descriptors is passed over.
func rights(oob []byte) (files []*os.File, malformed bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, true
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
	return files, false
}
