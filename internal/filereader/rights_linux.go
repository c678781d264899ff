package filereader

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/reason"
)

// retryAfter is the delay that a peer is told when no descriptor is free.
const retryAfter = 2 * time.Second

// receive takes the n bytes of a message, which wait in the socket, with their
// descriptor. A message carries exactly one.
func receive(conn, n int) (fd int, err error) {
	buf := make([]byte, n)
	oob := make([]byte, unix.CmsgSpace(2*4)) // two show that the peer sent too many; the kernel closes those that do not fit
	var got []int
	closeAll := func() {
		for _, fd := range got {
			_ = unix.Close(fd)
		}
	}
	lacking, malformed := false, false
	for at := 0; at < n; {
		read, oobn, flags, _, err := unix.Recvmsg(conn, buf[at:], oob, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		fds, ok := rights(oob[:oobn])
		got, malformed = append(got, fds...), malformed || !ok
		// The kernel sets MSG_CTRUNC for both causes. With a free descriptor it fills the room.
		lacking = lacking || flags&unix.MSG_CTRUNC != 0 && len(fds) < 2
		if err == nil && read == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			closeAll()
			return -1, fmt.Errorf("receiving the file: %w", err)
		}
		at += read
	}
	switch {
	case lacking:
		closeAll()
		return -1, noDescriptorFree()
	case malformed, len(got) > 1:
		closeAll()
		return -1, reason.New(reason.ProtocolViolation, "more than one descriptor came: send exactly one with each message")
	case len(got) == 0:
		return -1, reason.New(reason.ProtocolViolation, "no descriptor came: send exactly one with each message")
	}
	return got[0], nil
}

// rights parses control messages, and reports whether they are well-formed. It skips
// messages that carry no descriptors.
func rights(oob []byte) (fds []int, ok bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, false
	}
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds, true
}

func noDescriptorFree() *reason.Error {
	return reason.New(
		reason.TooManyFiles,
		"the daemon, or its host, has no file descriptor free for the handed-over file; "+
			"the daemon's limit is %d (LimitNOFILE, ulimit -n): raise it, or send fewer files at a time",
		descriptorLimit(),
	).After(retryAfter)
}

// descriptorLimit is the limit of this process, which is that of the daemon.
func descriptorLimit() uint64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return r.Cur
}
