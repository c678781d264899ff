package sink

import (
	"net"
	"time"
)

// paced is a listener whose connections are read at a rate, in bytes a second.
// What is not read fills the socket's buffers, and then the sender waits: that
// is how one connection of a real network feels.
type paced struct {
	net.Listener
	rate int64
}

// Accept implements net.Listener.
func (p paced) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if err != nil || p.rate <= 0 {
		return conn, err
	}
	return &pacedConn{Conn: conn, rate: p.rate}, nil
}

// pacedConn is read by one goroutine at a time, as crypto/tls does.
type pacedConn struct {
	net.Conn
	rate int64
	due  time.Time // when all that was read so far may have arrived
}

// slack keeps the pace from costing a timer for every read.
const slack = time.Millisecond

// Read implements net.Conn.
func (c *pacedConn) Read(b []byte) (int, error) {
	if ahead := time.Until(c.due); ahead > slack {
		time.Sleep(ahead)
	}
	n, err := c.Conn.Read(b)
	if now := time.Now(); c.due.Before(now) {
		c.due = now // idle time is not saved up
	}
	c.due = c.due.Add(time.Duration(int64(n) * int64(time.Second) / c.rate))
	return n, err
}
