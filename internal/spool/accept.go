package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/oklog/ulid/v2"
)

const (
	largeBuffer = 256 << 10
	smallBuffer = 32 << 10
	spaceEvery  = 16 << 20 // bytes between two checks of the free space
)

// Body provides the bytes of an object. io.EOF means that it has ended as its sender
// intended; after any other error the spool keeps no object.
type Body interface {
	io.Reader
	// Verify compares length and CRC32C with the sender's statement about the bytes. It is
	// called once, when the body has ended; after its error the spool keeps no object.
	Verify(length int64, crc32c uint32) error
}

// Accept takes one object. When it returns without an error, the object is on the
// medium and will be delivered. An error leaves no object; it is a *FullError, an
// *IOError, or it wraps the error of the body or of ctx.
//
// known reports that the object was accepted before, under its id or under the
// idempotency key of this user for this destination. Accept then does not read the
// body and returns the status of the earlier object. When two calls with one key
// overlap, the second waits for the first, and takes over if the first fails.
func (s *Spool) Accept(ctx context.Context, h Header, body Body) (st Status, known bool, err error) {
	id, err := h.check()
	if err != nil {
		return Status{}, false, err
	}
	key := h.idem()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return Status{}, false, ErrClosed
	}
	s.accepts.Add(1)
	s.mu.Unlock()
	defer s.accepts.Done()

	earlier, mine, err := s.claim(ctx, id, key, &h)
	if err != nil {
		return Status{}, false, err
	}
	if mine == nil {
		st, ok := s.status(earlier)
		if !ok {
			return Status{}, false, fmt.Errorf("spool: %s: %w", earlier, ErrUnknown)
		}
		return st, true, nil
	}
	defer mine.release()

	res, err := s.reserve(&h)
	if err != nil {
		return Status{}, false, err
	}
	foot, err := s.receive(ctx, id, &h, body, res)
	if err != nil {
		res.cancel()
		return Status{}, false, err
	}

	s.mu.Lock()
	res.settle(foot.size)
	r := s.newRecord(id, foot, Queued)
	s.enter(r)
	delete(s.unrecovered, nameOf(id, dirQueue, extObject)) // the new file has replaced it
	st = r.status(&foot.header)
	s.notify()
	s.mu.Unlock()
	s.events.emit(Event{Kind: EventAccepted, ID: h.ID, Destination: h.Destination, UID: h.UID, Size: foot.size})
	return st, false, nil
}

// receive writes the file and makes it durable. On an error it removes the file.
func (s *Spool) receive(ctx context.Context, id ulid.ULID, h *Header, body Body, res *reservation) (*footer, error) {
	temporary, name := nameOf(id, dirQueue, extTemporary), nameOf(id, dirQueue, extObject)
	// The claim makes this call the only user of the id: an existing file of that
	// name is a leftover that an earlier call could not remove.
	f, err := s.dir.fs.OpenFile(s.dir.path(temporary), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
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
			s.dir.removeQuietly(present)
		}
	}()

	sum, err := s.copy(ctx, f, h, body, temporary, res)
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
	if err := s.checkOpen(ctx); err != nil {
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
	if err := s.dir.fs.Rename(s.dir.path(temporary), s.dir.path(name)); err != nil {
		return nil, ioError("rename", name, err)
	}
	present = name
	if err := s.dir.queue.commit(); err != nil {
		return nil, ioError("sync directory", dirQueue, err)
	}
	kept = true
	return foot, nil
}

// copy writes the body to f and returns its checksums.
func (s *Spool) copy(ctx context.Context, f File, h *Header, body io.Reader, name string, res *reservation) (*sums, error) {
	pool := &s.large
	if h.Size >= 0 && h.Size < smallBuffer {
		pool = &s.small
	}
	buffer := pool.Get().(*[]byte)
	defer pool.Put(buffer)
	sum := &sums{segment: h.PartSize}
	next := int64(spaceEvery)
	for {
		if err := s.checkOpen(ctx); err != nil {
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
				if err := s.checkFree(h.Destination, 0); err != nil {
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

// checkOpen returns an error when the caller has gone or the spool is closing.
func (s *Spool) checkOpen(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if s.life.Err() != nil {
		return ErrClosed
	}
	return nil
}

// full reports whether err is a *FullError.
func full(err error) bool {
	var f *FullError
	return errors.As(err, &f)
}
