package unixsock

import (
	"encoding/binary"
	"net"
	"time"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
)

// Admit decides about a new connection. The charge is released when the connection is
// closed. The peer is told the refusal.
type Admit func(p access.Peer) (*quota.Charge, *reason.Error)

// Guard returns a listener that asks admit about each connection before a byte of it is
// read. Its connections are of type *Conn. A connection whose peer the kernel does not
// identify is closed.
func Guard(l net.Listener, admit Admit) net.Listener { return &guarded{l, admit} }

type guarded struct {
	net.Listener
	admit Admit
}

// Conn is a connection that was admitted.
type Conn struct {
	*net.UnixConn
	Peer   access.Peer
	charge *quota.Charge
	// Frames is charged for each tiny DATA frame; see CountFrames. Messages that are read
	// earn it back. nil: frames are not counted.
	Frames *quota.Balance
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	err := c.UnixConn.Close()
	c.charge.Release()
	return err
}

// Accept implements net.Listener.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, ok := conn.(*net.UnixConn)
		if !ok {
			_ = conn.Close() // the kernel does not identify its peer
			continue
		}
		p, err := Peer(c)
		if err != nil {
			_ = c.Close() // an unknown peer
			continue
		}
		charge, refusal := g.admit(p)
		if refusal != nil {
			refuse(c, refusal)
			continue
		}
		return &Conn{UnixConn: c, Peer: p, charge: charge}, nil
	}
}

// maxRefusal bounds the text of a refusal, in bytes. It fits into the buffer of every
// new socket.
const maxRefusal = 1 << 10

// refuse tells a peer why its connection is refused, and closes it. It does not wait:
// the text is an HTTP/2 GOAWAY frame, which gRPC clients pass on.
func refuse(c *net.UnixConn, e *reason.Error) {
	if c.SetWriteDeadline(time.Now().Add(time.Millisecond)) == nil {
		_, _ = c.Write(goAway(string(e.Reason) + ": " + e.Message)) // the connection is closed anyway
	}
	_ = c.Close()
}

// goAway returns the bytes of an HTTP/2 server that ends the connection: an empty
// SETTINGS frame, then GOAWAY with the code ENHANCE_YOUR_CALM (RFC 9113, 6.8).
func goAway(text string) []byte {
	const (
		settings, goaway = 4, 7
		enhanceYourCalm  = 11
	)
	text = text[:min(len(text), maxRefusal)]
	out := []byte{0, 0, 0, settings, 0, 0, 0, 0, 0}
	n := 8 + len(text)
	out = append(out, byte(n>>16), byte(n>>8), byte(n), goaway, 0, 0, 0, 0, 0)
	out = append(out, 0, 0, 0, 0) // the last stream that was looked at
	out = binary.BigEndian.AppendUint32(out, enhanceYourCalm)
	return append(out, text...)
}
