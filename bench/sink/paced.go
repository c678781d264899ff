package sink

import (
	"net"
	"time"
)

// paced is a listener that limits how fast its connections are read, in bytes a second.
// Unread bytes fill the socket's buffers, and then the sender waits, as on a real
// network.
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
	due  time.Time // the earliest time of the next read
}

// slack is the delay below which a read does not wait. It saves a timer for every read.
const slack = time.Millisecond

// Read implements net.Conn.
func (c *pacedConn) Read(b []byte) (int, error) {
	if ahead := time.Until(c.due); ahead > slack {
		time.Sleep(ahead)
	}
	n, err := c.Conn.Read(b)
	if now := time.Now(); c.due.Before(now) {
		c.due = now // idle time does not allow a later burst
	}
	c.due = c.due.Add(time.Duration(int64(n) * int64(time.Second) / c.rate))
	return n, err
}
