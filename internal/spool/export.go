package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/oklog/ulid/v2"
)

// Export writes the data of an object to w and returns the number of verified
// bytes: all of them unless it returns an error. A *CorruptError ends the export
// before the last bytes of the damaged segment.
func (s *Spool) Export(ctx context.Context, id string, w io.Writer) (int64, error) {
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return 0, fmt.Errorf("spool: %q: %w", id, ErrUnknown)
	}
	s.index.mu.Lock()
	r, bad := s.index.records[u], s.unusable.of(u)
	s.index.mu.Unlock()
	if r == nil && bad != nil {
		return 0, fmt.Errorf("spool: %s: %w", bad.text, ErrState)
	}
	if r == nil {
		return 0, fmt.Errorf("spool: %s: %w", id, ErrUnknown)
	}
	e, err := s.openAnywhere(u)
	if err != nil {
		return 0, err
	}
	defer e.close()
	in := e.Section(0, e.Size())
	buffer := make([]byte, largeBuffer)
	var written int64
	for {
		if err := context.Cause(ctx); err != nil {
			return verified(e, written), err
		}
		n, err := in.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return verified(e, written), fmt.Errorf("spool: exporting %s: %w", id, err)
			}
			written += int64(n)
		}
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return verified(e, written), err
		}
	}
}

// verified returns how many of the first n bytes lie in whole segments.
func verified(e *Entry, n int64) int64 {
	if n == e.Size() {
		return n
	}
	return n - n%e.SegmentSize()
}

// openAnywhere opens a queued or dead object.
func (s *Spool) openAnywhere(id ulid.ULID) (*Entry, error) {
	e, err := s.openEntry(id, nameOf(id, dirQueue, extObject), true)
	if errors.Is(err, fs.ErrNotExist) {
		e, err = s.openEntry(id, nameOf(id, dirDead, extObject), true)
	}
	return e, err
}
