package s3client

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// Payload is the body of an object or a part.
type Payload struct {
	// Open returns a reader at the first byte. It is called each time the bytes are
	// sent, usually once. A reader that is an io.Closer is closed. A Read should not
	// block for long: a canceled call returns only after the Read in flight.
	Open func() (io.Reader, error)
	// Size is the exact number of bytes.
	Size int64
	// CRC32C is the Castagnoli checksum of all bytes.
	CRC32C uint32
}

// Slicer is a body whose bytes are already in memory, and are sent from there.
// [Payload.Open] may return one.
type Slicer interface {
	io.Reader
	// Next returns 1 to n bytes, which do not change until the next call, or an error.
	// io.EOF comes without bytes.
	Next(n int) ([]byte, error)
}

// bodyError is an error of the payload, not of the network.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

var errEarlyResponse = errors.New("the store responded before it had the whole request")

// body reads a payload of exactly its size, or returns an error. Its last bytes come
// together with io.EOF, or not at all.
type body struct {
	r          io.Reader
	left, size int64
	err        error       // the payload's
	stop       atomic.Bool // the store has responded: send no more
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.stop.Load() {
		return 0, errEarlyResponse
	}
	n, err := b.r.Read(p)
	return n, b.check(n, err)
}

// next is Read without a copy, for a body that is a Slicer.
func (b *body) next(from Slicer, n int) ([]byte, error) {
	if b.stop.Load() {
		return nil, errEarlyResponse
	}
	p, err := from.Next(n)
	return p, b.check(len(p), err)
}

// check counts n bytes, and makes sure that the payload ends after its last byte.
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
		_ = closer.Close() // every byte that counts has been read
	}
}
