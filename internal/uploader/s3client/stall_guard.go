package s3client

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// stallGuardConn is a TCP connection whose writes fail when the peer takes no byte
// for the stall timeout. Progress counts, not size: a slow line is no stall.
type stallGuardConn struct {
	net.Conn
	stall time.Duration
	sent  atomic.Int64 // bytes that were written
}

// Write implements net.Conn.
func (c *stallGuardConn) Write(p []byte) (int, error) {
	written := 0
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		c.sent.Add(int64(n))
		if err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
	}
}
