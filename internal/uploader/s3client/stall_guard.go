package s3client

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// stallGuardConn is a TCP connection that fails when it makes no progress: when the
// peer takes no byte for the stall timeout, or sends none for the read limit. A slow
// line is no stall. Bytes that the peer acknowledges are progress too: the kernel may
// hold megabytes that a slow line needs minutes for.
type stallGuardConn struct {
	net.Conn
	stall time.Duration
	raw   syscall.RawConn // nil: the kernel's send queue cannot be read
	sent  atomic.Int64    // bytes that were written

	limit  atomic.Int64 // read limit in nanoseconds; 0: none
	queued atomic.Int64 // length of the send queue when a read last made progress
}

func newStallGuardConn(c net.Conn, stall time.Duration) *stallGuardConn {
	g := &stallGuardConn{Conn: c, stall: stall}
	if sc, ok := c.(syscall.Conn); ok {
		g.raw, _ = sc.SyscallConn() // without it, only written and read bytes are progress
	}
	return g
}

// unacknowledged returns how many bytes the peer has not acknowledged; 0: not known.
func (c *stallGuardConn) unacknowledged() int64 {
	if c.raw == nil {
		return 0
	}
	return sendQueue(c.raw)
}

// Write implements net.Conn.
func (c *stallGuardConn) Write(p []byte) (int, error) {
	written := 0
	queued := c.unacknowledged()
	for {
		if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		c.sent.Add(int64(n))
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
		before := queued
		if queued = c.unacknowledged(); n == 0 && queued >= before {
			return written, err
		}
	}
}

// limitSilence makes reads fail after d without progress, also the read in progress; 0
// removes the limit.
func (c *stallGuardConn) limitSilence(d time.Duration) {
	c.limit.Store(int64(d))
	c.queued.Store(c.unacknowledged())
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	_ = c.SetReadDeadline(deadline) // reading a closed connection fails anyway
}

// Read implements net.Conn.
func (c *stallGuardConn) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		limit := time.Duration(c.limit.Load())
		switch {
		case n > 0 || err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		case limit > 0:
			queued := c.unacknowledged()
			if before := c.queued.Swap(queued); queued >= before {
				return n, err
			}
		}
		if limit > 0 {
			_ = c.SetReadDeadline(time.Now().Add(limit))
		}
		if n > 0 || err == nil {
			return n, err
		}
	}
}
