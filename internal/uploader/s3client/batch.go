package s3client

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
)

// crypto/tls writes every record of 16 KiB to the connection below it in a write of
// its own. A batch combines these writes:
//
//	conn ── send ──> batchConn ──> tls.Conn ── records ──> coalescingConn ──> TCP
//	                     └── hold, release ──────────────────────┘
//
// batchConn is above tls.Conn, so it knows where a request begins and ends.
// coalescingConn is below and holds records only in between. When send returns, the
// kernel has every byte: no request waits in a buffer for its own response.
// Handshakes, alerts and answers to key updates pass straight through outside a
// batch, and leave in order inside one.
//
// While send reads its source, up to one buffer of records may be held. The source
// does not depend on the peer.
//
// Buffers come from a pool when a batch begins and go back when it ends: an idle or
// waiting connection holds none.

// batchBuffers are the buffers that the connections of a transport share.
type batchBuffers struct {
	size         int
	batches      sync.Pool // of *[]byte with capacity size
	plainBuffers sync.Pool // of *[]byte with length plainSize
}

const (
	// plainSize is how many bytes send reads at a time: whole records.
	plainSize = 64 << 10
	maxRecord = 16 << 10
)

func newBatchBuffers(size int) *batchBuffers {
	// The extra room holds the frames of the records and one more record.
	size = max(size, maxRecord)
	room := size + size/64 + 512
	b := &batchBuffers{size: room}
	b.batches.New = func() any { p := make([]byte, 0, room); return &p }
	b.plainBuffers.New = func() any { p := make([]byte, plainSize); return &p }
	return b
}

// client returns a TLS client on conn that sends its requests in batches. The
// caller makes the handshake.
func (b *batchBuffers) client(conn net.Conn, cfg *tls.Config) *batchConn {
	below := &coalescingConn{Conn: conn, buffers: b}
	return &batchConn{Conn: tls.Client(below, cfg), below: below}
}

// batchConn is a tls.Conn that tells the connection below when a batch ends.
type batchConn struct {
	*tls.Conn
	below *coalescingConn
}

// send implements stream.
func (c *batchConn) send(head []byte, body io.Reader) error {
	if len(head) <= maxRecord && body == nil {
		_, err := c.Write(head) // one record needs no batch
		return err
	}
	plain := c.below.buffers.plainBuffers.Get().(*[]byte)
	defer c.below.buffers.plainBuffers.Put(plain)
	c.below.hold()
	err := copyBody(c.Conn, *plain, head, body)
	if ferr := c.below.release(); err == nil {
		err = ferr
	}
	clear((*plain)[:min(len(head), len(*plain))]) // it held a session token
	return err
}

// copyBody writes head and body to w through the buffer plain. A large body that
// lies in memory is not copied.
func copyBody(w io.Writer, plain, head []byte, r io.Reader) error {
	if b, ok := r.(*body); ok && len(head) == 0 {
		if from, ok := b.r.(Slicer); ok {
			return copySlices(w, b, from)
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
		// Return the source's error before writing its last bytes: a body with an error
		// must never be complete for the store.
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

func copySlices(w io.Writer, b *body, from Slicer) error {
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

// fill reads until p is full or r returns an error. A nil r is empty.
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
	buffers *batchBuffers
}

// send implements stream.
func (c *plainConn) send(head []byte, body io.Reader) error {
	plain := c.buffers.plainBuffers.Get().(*[]byte)
	defer c.buffers.plainBuffers.Put(plain)
	err := copyBody(c.Conn, *plain, head, body)
	clear((*plain)[:min(len(head), len(*plain))]) // it held a session token
	return err
}
