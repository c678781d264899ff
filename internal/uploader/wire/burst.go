package wire

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// crypto/tls hands every record of 16 KiB to the connection below it in a write
// of its own. A burst gathers them:
//
//	net/http ── Write, ReadFrom ──> burstConn ──> tls.Conn ── records ──> gather ──> TCP
//	                                    └── hold, release ─────────────────┘
//
// burstConn is above tls.Conn and so sees where a write of net/http begins and
// ends; gather is below and holds records only in between. When Write or ReadFrom
// return, everything is with the kernel. So nobody can wait for an answer to
// bytes that are still here: net/http waits, for an answer or for a 100, after
// its write has returned. Handshake, alerts and answers to key updates are
// outside a burst and pass straight through, or inside one and leave in order with it.
//
// While ReadFrom reads its source, up to a buffer of records may be held, as
// bufio.Writer would hold plain bytes. The source does not depend on the peer.
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
	// plainSize is what ReadFrom reads at a time: whole records.
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

// client makes a TLS client on conn whose writes leave in bursts. The handshake is the caller's.
func (b *bursts) client(conn net.Conn, cfg *tls.Config) *burstConn {
	g := &gather{Conn: conn, bursts: b}
	return &burstConn{Conn: tls.Client(g, cfg), below: g}
}

// burstConn is a tls.Conn that tells the connection below when a burst is over.
type burstConn struct {
	*tls.Conn
	below   *gather
	writing atomic.Int32
}

// Write implements net.Conn. When it returns, p has left.
func (c *burstConn) Write(p []byte) (int, error) {
	if len(p) <= maxRecord {
		return c.Conn.Write(p) // one record: there is nothing to gather
	}
	c.writing.Add(1)
	defer c.writing.Add(-1)
	c.below.hold()
	n, err := c.Conn.Write(p)
	m, err := c.settle(int64(n), err)
	return int(m), err
}

// ReadFrom implements io.ReaderFrom, through which net/http sends a body. When
// it returns, all that was read has left.
func (c *burstConn) ReadFrom(r io.Reader) (int64, error) {
	c.writing.Add(1)
	defer c.writing.Add(-1)
	plain := c.below.bursts.plains.Get().(*[]byte)
	defer c.below.bursts.plains.Put(plain)
	c.below.hold()
	var total int64
	for {
		n, end := fill(r, *plain)
		if n > 0 {
			w, err := c.Conn.Write((*plain)[:n])
			total += int64(w)
			if err != nil {
				return c.settle(total, err)
			}
		}
		if end == io.EOF {
			return c.settle(total, nil)
		}
		if end != nil {
			return c.settle(total, end)
		}
	}
}

// fill reads until p is full or r says why not.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// settle ends a burst of n plain bytes. When nothing of it has left, it says so:
// net/http may then use another connection.
func (c *burstConn) settle(n int64, err error) (int64, error) {
	sent, ferr := c.below.release()
	if err == nil {
		err = ferr
	}
	if ferr != nil && sent == 0 {
		n = 0
	}
	return n, err
}

// Close implements net.Conn. A burst under way is cut: what is left of it is for
// nobody, and a goodbye could not overtake it.
func (c *burstConn) Close() error {
	if c.writing.Load() > 0 {
		return c.below.Close()
	}
	return c.Conn.Close()
}
