package spool

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/oklog/ulid/v2"
)

const (
	largeBuffer = 256 << 10
	smallBuffer = 32 << 10
	spaceEvery  = 16 << 20 // bytes between two checks of the free space
)

// writer writes the body and the footer of an object to its file, within the object's
// reservation. It ends early when the caller has gone or the spool is closing.
type writer struct {
	dir   *directory
	index *index
	life  context.Context // of the spool
	large sync.Pool
	small sync.Pool
}

func newWriter(life context.Context, dir *directory, index *index) *writer {
	w := &writer{dir: dir, index: index, life: life}
	w.large.New = func() any { b := make([]byte, largeBuffer); return &b }
	w.small.New = func() any { b := make([]byte, smallBuffer); return &b }
	return w
}

// receive writes the file and makes it durable. On an error it removes the file.
func (w *writer) receive(ctx context.Context, id ulid.ULID, h *Header, body Body, res *reservation) (*footer, error) {
	temporary, name := nameOf(id, dirQueue, extTemporary), nameOf(id, dirQueue, extObject)
	// The claim makes this call the only user of the id: an existing file of that
	// name is a leftover that an earlier call could not remove.
	f, err := w.dir.fs.OpenFile(w.dir.path(temporary), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, ioError("create", temporary, err)
	}
	kept, open := false, true
	present := temporary
	defer func() {
		if open {
			_ = f.Close()
		}
		if !kept {
			w.dir.removeQuietly(present)
		}
	}()

	sum, err := w.copy(ctx, f, h, body, temporary, res)
	if err != nil {
		return nil, err
	}
	if err := body.Verify(sum.size, sum.whole); err != nil {
		return nil, err
	}
	foot := &footer{header: *h, size: sum.size, crc: sum.whole, segments: sum.end()}
	text, err := foot.encode()
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(text); err != nil {
		return nil, ioError("write", temporary, err)
	}
	// After this point a cancelled call may still leave the object accepted.
	if err := w.checkOpen(ctx); err != nil {
		return nil, err
	}
	// A failed sync is final: the kernel has dropped the pages and would report the
	// next sync as a success. The file is lost and the object was not accepted.
	if err := f.Sync(); err != nil {
		return nil, ioError("sync", temporary, err)
	}
	open = false
	if err := f.Close(); err != nil {
		return nil, ioError("close", temporary, err)
	}
	if err := w.dir.fs.Rename(w.dir.path(temporary), w.dir.path(name)); err != nil {
		return nil, ioError("rename", name, err)
	}
	present = name
	if err := w.dir.queue.commit(); err != nil {
		return nil, ioError("sync directory", dirQueue, err)
	}
	kept = true
	return foot, nil
}

// copy writes the body to f and returns its checksums.
func (w *writer) copy(ctx context.Context, f File, h *Header, body io.Reader, name string, res *reservation) (*sums, error) {
	pool := &w.large
	if h.Size >= 0 && h.Size < smallBuffer {
		pool = &w.small
	}
	buffer := pool.Get().(*[]byte)
	defer pool.Put(buffer)
	sum := &sums{segment: h.PartSize}
	next := int64(spaceEvery)
	for {
		if err := w.checkOpen(ctx); err != nil {
			return nil, err
		}
		n, end, err := fill(body, *buffer)
		if err != nil {
			return nil, fmt.Errorf("spool: reading the body of %s: %w", h.ID, err)
		}
		if h.Size >= 0 && sum.size+int64(n) > h.Size {
			return nil, fmt.Errorf("spool: %s: more than %d bytes: %w", h.ID, h.Size, ErrSize)
		}
		if n > 0 {
			if err := res.grow(sum.size + int64(n)); err != nil {
				return nil, err
			}
			chunk := (*buffer)[:n]
			if _, err := f.Write(chunk); err != nil {
				return nil, ioError("write", name, err)
			}
			sum.write(chunk)
			if sum.size >= next {
				next = sum.size + spaceEvery
				if err := w.index.checkFree(h.Destination, 0); err != nil {
					return nil, err
				}
			}
		}
		if end {
			if h.Size >= 0 && sum.size != h.Size {
				return nil, fmt.Errorf("spool: %s: %d of %d bytes: %w", h.ID, sum.size, h.Size, ErrSize)
			}
			return sum, nil
		}
	}
}

// checkOpen returns an error when the caller has gone or the spool is closing.
func (w *writer) checkOpen(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if w.life.Err() != nil {
		return ErrClosed
	}
	return nil
}

// fill reads until p is full or the body ends, so that small chunks of a stream
// become large writes.
func fill(body io.Reader, p []byte) (n int, end bool, err error) {
	for idle := 0; n < len(p); {
		m, err := body.Read(p[n:])
		n += m
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
		if m > 0 {
			idle = 0
		} else if idle++; idle > 100 {
			return n, false, io.ErrNoProgress
		}
	}
	return n, false, nil
}
