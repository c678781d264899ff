package s3client

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
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

// Slicer is a body whose bytes lie in memory already: they are sent from there. What
// Open returns may be one.
type Slicer interface {
	io.Reader
	// Next returns at least one and at most n bytes, which stay as they are until the
	// next call, or an error; io.EOF comes alone.
	Next(n int) ([]byte, error)
}

// bodyError is a fault of the payload's, not of the network's.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

var errAnswered = errors.New("the store has answered before it had everything")

// body is a payload as it is sent: of exactly its size, or an error. Its last
// bytes come together with io.EOF, or not at all.
type body struct {
	r          io.Reader
	left, size int64
	err        error       // the payload's
	stop       atomic.Bool // nobody wants the rest
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.stop.Load() {
		return 0, errAnswered
	}
	n, err := b.r.Read(p)
	return n, b.check(n, err)
}

// next is Read without a buffer, for a body that is a Slicer.
func (b *body) next(from Slicer, n int) ([]byte, error) {
	if b.stop.Load() {
		return nil, errAnswered
	}
	p, err := from.Next(n)
	return p, b.check(len(p), err)
}

// check counts what was read, and looks past the last byte.
func (b *body) check(n int, err error) error {
	b.left -= int64(n)
	for b.left == 0 && err == nil {
		var more [1]byte
		var m int
		m, err = b.r.Read(more[:])
		b.left -= int64(m)
	}
	switch {
	case b.left < 0:
		err = fmt.Errorf("it is longer than the %d bytes that were announced", b.size)
	case err == io.EOF && b.left > 0:
		err = fmt.Errorf("it ended %d bytes before the %d that were announced", b.left, b.size)
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return err
}

func closeReader(r io.Reader) {
	if closer, ok := r.(io.Closer); ok {
		_ = closer.Close() // it was read to its end, or its end does not matter
	}
}
