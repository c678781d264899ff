package s3client

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
)

// crypto/tls hands every record of 16 KiB to the connection below it in a write
// of its own. A burst gathers them:
//
//	conn ── send ──> burstConn ──> tls.Conn ── records ──> gather ──> TCP
//	                     └── hold, release ──────────────────┘
//
// burstConn is above tls.Conn and so sees where a request begins and ends; gather
// is below and holds records only in between. When send returns, everything is
// with the kernel: nobody waits for an answer to bytes that are still here.
// Handshake, alerts and answers to key updates are outside a burst and pass
// straight through, or inside one and leave in order with it.
//
// While send reads its source, up to a buffer of records may be held. The source
// does not depend on the peer.
//
// Buffers come from a pool when a burst begins and go back when it ends: a
// connection that is idle, or waits, holds none.

// bursts are the buffers of a transport's connections.
type bursts struct {
	size    int
	gathers sync.Pool // of *[]byte, with room for size
	plains  sync.Pool // of *[]byte, plainSize long
}

const (
	// plainSize is what send reads at a time: whole records.
	plainSize = 64 << 10
	maxRecord = 16 << 10
)

func newBursts(size int) *bursts {
	// One more record fits than size holds of plain bytes: their frames take a little.
	size = max(size, maxRecord)
	room := size + size/64 + 512
	b := &bursts{size: room}
	b.gathers.New = func() any { p := make([]byte, 0, room); return &p }
	b.plains.New = func() any { p := make([]byte, plainSize); return &p }
	return b
}

// client makes a TLS client on conn whose requests leave in bursts. The handshake is the caller's.
func (b *bursts) client(conn net.Conn, cfg *tls.Config) *burstConn {
	g := &gather{Conn: conn, bursts: b}
	return &burstConn{Conn: tls.Client(g, cfg), below: g}
}

// burstConn is a tls.Conn that tells the connection below when a burst is over.
type burstConn struct {
	*tls.Conn
	below *gather
}

// send implements stream.
func (c *burstConn) send(head []byte, body io.Reader) error {
	if len(head) <= maxRecord && body == nil {
		_, err := c.Write(head) // one record: there is nothing to gather
		return err
	}
	plain := c.below.bursts.plains.Get().(*[]byte)
	defer c.below.bursts.plains.Put(plain)
	c.below.hold()
	err := pour(c.Conn, *plain, head, body)
	if ferr := c.below.release(); err == nil {
		err = ferr
	}
	clear((*plain)[:min(len(head), len(*plain))]) // a session token was in it
	return err
}

// pour writes head and body through a buffer, head first. Of a large body that lies
// in memory nothing is moved.
func pour(w io.Writer, plain, head []byte, r io.Reader) error {
	if b, ok := r.(*body); ok && len(head) == 0 {
		if from, ok := b.r.(Slicer); ok {
			return pourSlices(w, b, from)
		}
	}
	for {
		n := copy(plain, head)
		head = head[n:]
		var end error
		if len(head) == 0 {
			var m int
			m, end = fill(r, plain[n:])
			n += m
		}
		// What the source said goes before what was read: a body that is not what it
		// should be must not be complete.
		if end != nil && end != io.EOF {
			return end
		}
		if n > 0 {
			if _, err := w.Write(plain[:n]); err != nil {
				return err
			}
		}
		if end == io.EOF {
			return nil
		}
	}
}

func pourSlices(w io.Writer, b *body, from Slicer) error {
	for {
		p, end := b.next(from, plainSize)
		if end != nil && end != io.EOF {
			return end
		}
		if _, err := w.Write(p); err != nil {
			return err
		}
		if end == io.EOF {
			return nil
		}
	}
}

// fill reads until p is full or r says why not. A nil r is empty.
func fill(r io.Reader, p []byte) (n int, err error) {
	if r == nil {
		return 0, io.EOF
	}
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// plainConn is a stream without TLS.
type plainConn struct {
	net.Conn
	bursts *bursts
}

// send implements stream.
func (c *plainConn) send(head []byte, body io.Reader) error {
	plain := c.bursts.plains.Get().(*[]byte)
	defer c.bursts.plains.Put(plain)
	err := pour(c.Conn, *plain, head, body)
	clear((*plain)[:min(len(head), len(*plain))]) // a session token was in it
	return err
}
