package intake

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/unixsock"
)

// File is the body of an upload that is read from a file which the peer handed over.
// The file's own offset is neither used nor moved: the peer shares it.
type File struct {
	ctx          context.Context
	f            *os.File
	at, left     int64
	size         int64
	announce     func(id string) error
	interruptErr atomic.Pointer[error]
}

// NewFile returns a body of size bytes of f from offset on. The caller closes f. After
// an error with the reason DESCRIPTOR_REFUSED the peer may send the bytes in a stream.
func NewFile(ctx context.Context, f *os.File, offset, size uint64, announce func(id string) error) (*File, error) {
	if offset > math.MaxInt64 || size > math.MaxInt64-offset {
		return nil, reason.New(reason.ProtocolViolation, "offset %d and size %d are larger than any file", offset, size)
	}
	if err := unixsock.CheckDescriptor(f); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, reason.New(reason.FileUnreadable, "reading the file's size: %v; nothing was stored", err)
	}
	if end := int64(offset + size); info.Size() < end {
		return nil, short(info.Size()-int64(offset), int64(size))
	}
	unixsock.ReadAhead(f, int64(offset), int64(size))
	return &File{ctx: ctx, f: f, at: int64(offset), left: int64(size), size: int64(size), announce: announce}, nil
}

func short(got, want int64) *reason.Error {
	return reason.New(reason.SizeMismatch, "the header announced %d bytes, the file has %d; nothing was stored", want, max(got, 0))
}

// Read implements io.Reader.
func (b *File) Read(dst []byte) (int, error) {
	if err := b.interruptErr.Load(); err != nil {
		return 0, *err
	}
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.f.ReadAt(dst[:min(int64(len(dst)), b.left)], b.at)
	b.at, b.left = b.at+int64(n), b.left-int64(n)
	switch {
	case errors.Is(err, io.EOF) && b.left > 0: // the file has become shorter
		return n, short(b.size-b.left, b.size)
	case err != nil && !errors.Is(err, io.EOF):
		return n, reason.New(reason.FileUnreadable, "reading the file after %d bytes: %v; nothing was stored", b.size-b.left, err)
	}
	return n, nil
}

// Interrupt implements uploader.Body. A Read of a local file does not block.
func (b *File) Interrupt(err error) { b.interruptErr.CompareAndSwap(nil, &err) }

// Accepted implements Incoming.
func (b *File) Accepted(id string) error { return b.announce(id) }

// Verify implements Incoming. There is no checksum of the sender: the daemon reads the
// file itself.
func (b *File) Verify(length int64, _ uint32) error {
	if length != b.size {
		return short(length, b.size)
	}
	return nil
}
