package rpc

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/reason"
)

// fileBody reads an object from a file that a peer handed over. The file's own
// offset is neither used nor moved: the peer shares it.
type fileBody struct {
	ctx      context.Context
	f        *os.File
	at, left int64
	size     int64
	why      atomic.Pointer[error]
}

// newFileBody takes size bytes of f from offset on, or says why this file is not
// taken. A peer that is told DESCRIPTOR_REFUSED may still send the bytes.
func newFileBody(ctx context.Context, f *os.File, offset, size uint64) (*fileBody, error) {
	if offset > math.MaxInt64 || size > math.MaxInt64-offset {
		return nil, violation("offset %d and size %d are beyond every file", offset, size)
	}
	if err := acceptable(f); err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, unusable("looking at it: %v", err)
	}
	if end := int64(offset + size); info.Size() < end {
		return nil, short(info.Size()-int64(offset), int64(size))
	}
	readAhead(f, int64(offset), int64(size))
	return &fileBody{ctx: ctx, f: f, at: int64(offset), left: int64(size), size: int64(size)}, nil
}

func unusable(format string, args ...any) *reason.Error {
	return reason.New(reason.DescriptorRefused, "this descriptor is not taken: "+format+"; send the bytes in a stream", args...)
}

func short(there, want int64) *reason.Error {
	return reason.New(reason.SizeMismatch, "the header announced %d bytes, the file has %d; nothing was stored", want, max(there, 0))
}

// acceptable decides on a descriptor. Reading a regular file of a local file
// system neither blocks on the peer's will nor asks who reads: that is why it may
// be read in the peer's place.
func acceptable(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return unusable("%v", err)
	}
	var refusal error
	if err := raw.Control(func(fd uintptr) { refusal = acceptableFD(int(fd)) }); err != nil {
		return unusable("%v", err)
	}
	return refusal
}

func acceptableFD(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return unusable("looking at it: %v", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return unusable("it is not a regular file")
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return unusable("looking at it: %v", err)
	}
	if mode := flags & unix.O_ACCMODE; mode != unix.O_RDONLY && mode != unix.O_RDWR {
		return unusable("it is not open for reading")
	}
	return acceptableHere(fd, flags)
}

// Read implements io.Reader.
func (b *fileBody) Read(dst []byte) (int, error) {
	if why := b.why.Load(); why != nil {
		return 0, *why
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
	case errors.Is(err, io.EOF) && b.left > 0: // it was longer when it came
		return n, short(b.size-b.left, b.size)
	case err != nil && !errors.Is(err, io.EOF):
		return n, reason.New(reason.FileUnreadable, "reading the file after %d bytes: %v; nothing was stored", b.size-b.left, err)
	}
	return n, nil
}

// Interrupt implements uploader.Body. A Read of a local file does not block.
func (b *fileBody) Interrupt(err error) { b.why.CompareAndSwap(nil, &err) }

// verify says whether all that was announced was read. There is no checksum of
// the sender's: nothing lay between the file and its reader.
func (b *fileBody) verify(length int64, _ uint32) error {
	if length != b.size {
		return short(length, b.size)
	}
	return nil
}
