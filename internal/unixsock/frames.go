package unixsock

import (
	"errors"
	"net"

	"github.com/brokerd/brokerd/internal/quota"
)

// tinyFrame is the size below which a DATA frame counts as tiny, in bytes. gRPC keeps far
// more than its bytes for each frame that is not read yet.
const tinyFrame = 128

var errTinyFrames = errors.New("too many tiny DATA frames that complete no message")

// frameCounter counts tiny DATA frames in the bytes of an HTTP/2 client. It looks at the
// heads of frames only (RFC 9113, 4.1), and never fails: gRPC judges the bytes.
type frameCounter struct {
	skip int // bytes up to the head of the next frame
	head [9]byte
	have int // of head
}

// newFrameCounter begins at the first byte of a connection, before the client's preface.
func newFrameCounter() *frameCounter {
	return &frameCounter{skip: len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}
}

// count returns how many tiny DATA frames begin in p, or end their head there. An empty
// frame costs no memory, and does not count.
func (f *frameCounter) count(p []byte) (tiny int) {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(p))
			f.skip -= n
			p = p[n:]
			continue
		}
		n := copy(f.head[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have < len(f.head) {
			return tiny
		}
		const data = 0
		f.have, f.skip = 0, int(f.head[0])<<16|int(f.head[1])<<8|int(f.head[2])
		if f.head[3] == data && f.skip > 0 && f.skip < tinyFrame {
			tiny++
		}
	}
	return tiny
}

// countedConn is a connection whose tiny frames are charged.
type countedConn struct {
	*Conn
	frames *frameCounter
}

// CountFrames returns the connection for an HTTP/2 server, from its first byte on. A tiny
// DATA frame is charged to balance, and without credit the connection ends.
func CountFrames(c *Conn, balance *quota.Balance) net.Conn {
	c.Frames = balance
	return &countedConn{c, newFrameCounter()}
}

// Read implements net.Conn.
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if tiny := c.frames.count(p[:max(n, 0)]); tiny > 0 && !c.Frames.Spend(tiny) {
		return 0, errTinyFrames
	}
	return n, err
}
