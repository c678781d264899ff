package s3client

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// restless is a TCP connection whose peer has to take something every so often. It
// is progress that counts, not size: a slow line is no stall.
type restless struct {
	net.Conn
	stall time.Duration
	left  atomic.Int64 // bytes that were written
}

// Write implements net.Conn.
func (c *restless) Write(p []byte) (int, error) {
	written := 0
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		c.left.Add(int64(n))
		if err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
	}
}
