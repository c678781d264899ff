package client

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

const canHandOver = true

// sendFile sends data with the descriptor of f, in one message.
func sendFile(conn *net.UnixConn, data []byte, f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return errNotTaken
	}
	var n int
	var werr error
	if err := raw.Control(func(fd uintptr) {
		n, _, werr = conn.WriteMsgUnix(data, syscall.UnixRights(int(fd)), nil)
	}); err != nil {
		return errNotTaken
	}
	if werr == nil && n < len(data) {
		_, werr = conn.Write(data[n:])
	}
	if werr != nil {
		return fmt.Errorf("handing over a file: %w", werr)
	}
	return nil
}
