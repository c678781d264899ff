package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Payload is the body of an object or a part.
type Payload struct {
	// Open returns the bytes from their beginning. It is called for each time that
	// they are sent, once as a rule. What it returns is closed when it is an
	// io.Closer. A Read should not block for long: a call that was cancelled
	// returns only when the Read under way has.
	Open func() (io.Reader, error)
	// Size is the exact number of bytes.
	Size int64
	// CRC32C is the Castagnoli checksum of all bytes.
	CRC32C uint32
}

var errEnded = errors.New("the call has ended")

// call is one request under way: it lends the payload to net/http, which may go
// on reading after it has answered, and takes it back.
type call struct {
	payload  *Payload
	patience time.Duration // for the answer, once the request is written
	giveUp   context.CancelCauseFunc

	mu    sync.Mutex
	body  *body // the one that counts
	err   error // the payload's
	ended bool
	timer *time.Timer
}

// open makes a body, in place of any that was open.
func (c *call) open() (io.ReadCloser, error) {
	r, err := c.payload.Open()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.ended {
		closeReader(r)
		err = errEnded
	}
	if err != nil {
		c.err = err
		return nil, err
	}
	c.retire()
	c.body = &body{call: c, r: r, left: c.payload.Size}
	return c.body, nil
}

// await starts, or starts again, the wait for an answer.
func (c *call) await() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaitLocked()
}

func (c *call) awaitLocked() {
	switch {
	case c.ended || c.patience <= 0:
	case c.timer == nil:
		c.timer = time.AfterFunc(c.patience, func() { c.giveUp(&silence{c.patience}) })
	default:
		c.timer.Reset(c.patience)
	}
}

// end takes the payload back. No byte of it is read afterwards.
func (c *call) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.retire()
	if c.timer != nil {
		c.timer.Stop()
	}
}

// failure is what the payload did wrong so far.
func (c *call) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *call) retire() {
	if c.body != nil {
		closeReader(c.body.r)
		c.body = nil
	}
}

func closeReader(r io.Reader) {
	if closer, ok := r.(io.Closer); ok {
		_ = closer.Close() // it was read to its end, or its end does not matter
	}
}

// body is the payload as net/http reads it.
type body struct {
	call *call
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	c := b.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body != b {
		return 0, errEnded
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		err = fmt.Errorf("it is longer than the %d bytes that were announced", c.payload.Size)
	case err == io.EOF && b.left > 0:
		err = fmt.Errorf("it ended %d bytes before the %d that were announced", b.left, c.payload.Size)
	}
	if err != nil && err != io.EOF {
		c.err = err
	}
	return n, err
}

// Close implements io.Closer. net/http closes a body when it has written it.
func (b *body) Close() error {
	c := b.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body == b {
		c.retire()
		c.awaitLocked()
	}
	return nil
}
