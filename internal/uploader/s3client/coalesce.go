package s3client

import (
	"net"
	"sync"
)

// coalescingConn holds the bytes that are written to it between hold and release,
// as far as its buffer goes. An error of the connection below is final, because
// nothing tells which records the peer has received.
type coalescingConn struct {
	net.Conn
	buffers *batchBuffers

	mu      sync.Mutex
	holding bool
	buf     *[]byte // nil while no byte is held
	err     error
}

// Write implements net.Conn. Bytes that it holds count as written.
func (c *coalescingConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if !c.holding {
		return c.pass(p)
	}
	if c.buf != nil && len(*c.buf)+len(p) > cap(*c.buf) {
		if err := c.flush(); err != nil {
			return 0, err
		}
	}
	if c.buf == nil {
		c.buf = c.buffers.batches.Get().(*[]byte)
	}
	if len(p) > cap(*c.buf) {
		return c.pass(p)
	}
	*c.buf = append(*c.buf, p...)
	return len(p), nil
}

// hold begins a batch.
func (c *coalescingConn) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = true
}

// release ends a batch and writes the bytes that are held.
func (c *coalescingConn) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = false
	err := c.err
	if err == nil {
		err = c.flush()
	}
	if c.buf != nil {
		*c.buf = (*c.buf)[:0]
		c.buffers.batches.Put(c.buf)
		c.buf = nil
	}
	return err
}

func (c *coalescingConn) flush() error {
	if c.buf == nil || len(*c.buf) == 0 {
		return nil
	}
	_, err := c.pass(*c.buf)
	*c.buf = (*c.buf)[:0]
	return err
}

func (c *coalescingConn) pass(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.err = err
	}
	return n, err
}
