package client

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// UploadFile delivers a file. Of a regular file it delivers the length that the file has
// when the call begins: a log that grows meanwhile is delivered up to there. A file that
// shrinks, or is rewritten while it is read, is an error with the reason SIZE_MISMATCH or
// FILE_CHANGED; a later call may succeed. Anything else is read to its end: a named pipe,
// and a file whose size is only a hint, as in /proc, /sys and some FUSE file systems.
//
// On Linux the open file is handed to the daemon, which reads it itself. If the daemon
// does not take it, its bytes are sent as Upload does.
func (c *Client) UploadFile(ctx context.Context, destination, name, path string, opts ...UploadOption) (*Result, error) {
	f, err := open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("client: %s is a directory", path)
	}
	if !info.Mode().IsRegular() || !knowsSize(f, info.Size()) {
		return c.Upload(ctx, destination, name, f, opts...)
	}
	o := optionsOf(destination, name, append([]UploadOption{WithSize(info.Size())}, opts...))
	if err := o.validate(); err != nil {
		return nil, err
	}
	if want := o.header.GetSize(); want != uint64(info.Size()) {
		return nil, &Error{Code: codes.InvalidArgument, Reason: string(reason.SizeMismatch),
			Message: fmt.Sprintf("the file has %d bytes, and %d were announced; nothing was stored", info.Size(), want)}
	}
	first, err := stateOf(f)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return c.upload(ctx, o, func() bool { return true }, func() (*brokerdv1.UploadResponse, bool, error) {
		if err := first.again(f); err != nil {
			return nil, false, err
		}
		if canHandOver && !o.stream && !c.streamsOnly.Load() {
			resp, complete, err := c.handOver(ctx, f, o.header)
			if !errors.Is(err, errNotTaken) {
				if err == nil && o.progress != nil {
					o.progress(int64(o.header.GetSize()))
				}
				return resp, complete, err
			}
		}
		b := newBody(io.NewSectionReader(f, 0, info.Size()), 0)
		defer b.close()
		b.verify = func(n int64, crc uint32) error {
			if n < info.Size() {
				return shrunk(info.Size(), n)
			}
			return first.unchanged(f, n, crc)
		}
		return c.stream(ctx, o, b)
	})
}

// open opens a file. Opening a named pipe waits for its writer: it ends with ctx.
func open(ctx context.Context, path string) (*os.File, error) {
	type opened struct {
		f   *os.File
		err error
	}
	done := make(chan opened, 1)
	if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() {
		f, err := os.Open(path)
		done <- opened{f, err}
	} else {
		go func() {
			f, err := os.Open(path)
			select {
			case done <- opened{f, err}:
			default:
			}
		}()
	}
	select {
	case o := <-done:
		if o.err != nil {
			return nil, fmt.Errorf("client: %w", o.err)
		}
		return o.f, nil
	case <-ctx.Done():
		go func() { // the writer may still come
			if o := <-done; o.f != nil {
				_ = o.f.Close()
			}
		}()
		return nil, &givenUp{ctx.Err(), false}
	}
}

// fileState is the state of a file by which a later change is noticed.
type fileState struct {
	size              int64
	modified, changed unix.Timespec // mtime and ctime
}

func stateOf(f *os.File) (fileState, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return fileState{}, err
	}
	var st unix.Stat_t
	var serr error
	if err := raw.Control(func(fd uintptr) { serr = unix.Fstat(int(fd), &st) }); err != nil {
		return fileState{}, err
	}
	return fileState{st.Size, st.Mtim, st.Ctim}, serr
}

// again returns an error when another attempt would deliver other bytes under the same
// idempotency key: the file became shorter, or was rewritten with the same length.
func (s fileState) again(f *os.File) error {
	current, err := stateOf(f)
	switch {
	case err != nil:
		return fmt.Errorf("client: %w", err)
	case current.size < s.size:
		return shrunk(s.size, current.size)
	case current.size == s.size && current.modified != s.modified:
		return rewritten()
	}
	return nil
}

// unchanged returns an error unless f still begins with the n bytes that were read and
// have this CRC32C. While size and times are those of s, they prove it. After any change
// the bytes are read a second time: a program that only appends, or a rename, leaves
// them as they were.
func (s fileState) unchanged(f *os.File, n int64, crc uint32) error {
	current, err := stateOf(f)
	switch {
	case err != nil:
		return fmt.Errorf("client: %w", err)
	case current == s:
		return nil
	case current.size < n:
		return shrunk(n, current.size)
	}
	h := crc32.New(castagnoli)
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, n)); err != nil {
		return &readError{err}
	}
	if h.Sum32() != crc {
		return rewritten()
	}
	return nil
}

func rewritten() error {
	return &Error{Code: codes.Aborted, Reason: string(reason.FileChanged),
		Message: "the file changed while it was read; nothing was stored. Send it again when nothing writes to it"}
}

func shrunk(want, got int64) error {
	return &Error{Code: codes.Aborted, Reason: string(reason.SizeMismatch),
		Message: fmt.Sprintf("the file had %d bytes when the upload began, and has %d now; nothing was stored. Send it again", want, got)}
}
