package filereader

import (
	"net"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
)

// Request is a file that a peer hands over. Its access was decided.
type Request struct {
	// Conn has the peer's message of Message bytes, with its descriptor, in its socket.
	Conn    *net.UnixConn
	Message int
	UID     uint32 // of the peer

	Offset, Size uint64 // in bytes
	// Idle is how long the file system may give no byte.
	Idle time.Duration
	// Announce tells the peer the id of its upload.
	Announce func(id string) error
}

const (
	// maxUnanswered is how many files of a user may wait for their file system at a
	// time: to be opened, or to be closed.
	maxUnanswered = 32
	// maxUnansweredAll is the same for all users.
	maxUnansweredAll = 256
	// openTimeout is how long a file may take to be opened.
	openTimeout = 5 * time.Second
	// closeGrace is how long a file may take to be closed before it counts as unanswered.
	closeGrace = time.Second
)

// unavailable is the refusal of a file for a reason that is not the file's. The client
// sends a stream.
func unavailable(format string, args ...any) *reason.Error {
	return reason.New(reason.DescriptorRefused, format+"; send the bytes in a stream", args...)
}
