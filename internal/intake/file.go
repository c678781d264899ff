package intake

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/reason"
)

// File is the body of an upload that is read from a file which the daemon opened.
type File struct {
	ctx          context.Context
	f            *os.File
	at, left     int64
	offset, size int64
	first        unix.Stat_t // when the upload began
	sender       Announcer
	interruptErr atomic.Pointer[error]
}

// NewOwnFile returns a body of the first size bytes of a file that the daemon opened by
// itself. It may be on a network file system. The caller closes f.
func NewOwnFile(ctx context.Context, f *os.File, size uint64) (*File, error) {
	return newFile(ctx, f, 0, size, silent{})
}

// silent announces an id to no one: the daemon is the sender.
type silent struct{}

// Announce implements Announcer.
func (silent) Announce(string) error { return nil }

func newFile(ctx context.Context, f *os.File, offset, size uint64, from Announcer) (*File, error) {
	if offset > math.MaxInt64 || size > math.MaxInt64-offset {
		return nil, reason.New(reason.ProtocolViolation, "offset %d and size %d are larger than any file", offset, size)
	}
	first, err := stat(f)
	if err != nil {
		return nil, reason.New(reason.FileUnreadable, "reading the file's size: %v; nothing was stored", err)
	}
	if end := int64(offset + size); first.Size < end {
		return nil, reason.New(
			reason.SizeMismatch,
			"the header announced %d bytes, the file has %d; nothing was stored",
			size,
			max(first.Size-int64(offset), 0),
		)
	}
	readAhead(f, int64(offset), int64(size))
	return &File{
		ctx:    ctx,
		f:      f,
		at:     int64(offset),
		left:   int64(size),
		offset: int64(offset),
		size:   int64(size),
		first:  first,
		sender: from,
	}, nil
}

// stat returns the size and the times of f.
func stat(f *os.File) (st unix.Stat_t, err error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return st, err
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) }); cerr != nil {
		return st, cerr
	}
	return st, err
}

// shrunk is the error of a file that became shorter while it was read. A new upload of
// the file may succeed.
func shrunk(got, want int64) *reason.Error {
	e := reason.New(
		reason.SizeMismatch,
		"the file had %d bytes when the upload began, and has %d now; nothing was stored. Send it again",
		want,
		max(got, 0),
	)
	e.Status = codes.Aborted
	return e
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
		return n, shrunk(b.size-b.left, b.size)
	case err != nil && !errors.Is(err, io.EOF):
		return n, reason.New(reason.FileUnreadable, "reading the file after %d bytes: %v; nothing was stored", b.size-b.left, err)
	}
	return n, nil
}

// Interrupt implements uploader.Body. A Read of a local file does not block.
func (b *File) Interrupt(err error) { b.interruptErr.CompareAndSwap(nil, &err) }

// Accepted implements Incoming.
func (b *File) Accepted(id string) error { return b.sender.Announce(id) }

// Verify implements Incoming. The daemon reads the file itself, so that there is no
// checksum of the sender. Unchanged times and an unchanged size prove that the file was
// not written to. After any change the bytes are read a second time: a program that only
// appends, or a rename, leaves them as they were.
func (b *File) Verify(length int64, crc uint32) error {
	if length != b.size {
		return shrunk(length, b.size)
	}
	current, err := stat(b.f)
	switch {
	case err != nil:
		return reason.New(reason.FileUnreadable, "reading the file's times: %v; nothing was stored", err)
	case current.Mtim == b.first.Mtim && current.Ctim == b.first.Ctim && current.Size == b.first.Size:
		return nil
	}
	again, n, err := sum(contextReader{b.ctx, io.NewSectionReader(b.f, b.offset, b.size)}, b.size)
	switch {
	case err != nil && b.ctx.Err() != nil:
		return b.ctx.Err()
	case err != nil:
		return reason.New(reason.FileUnreadable, "reading the file again after it changed: %v; nothing was stored", err)
	case n != b.size:
		return shrunk(n, b.size)
	case again != crc:
		return reason.New(reason.FileChanged, "the file changed while it was read; nothing was stored. Send it again when nothing writes to it")
	}
	return nil
}

// contextReader ends with ctx.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
