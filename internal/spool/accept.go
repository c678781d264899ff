package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	s.index.mu.Lock()
	if s.closed {
		s.index.mu.Unlock()
		return Status{}, false, ErrClosed
	}
	s.accepts.Add(1)
	s.index.mu.Unlock()
	defer s.accepts.Done()

	earlier, mine, err := s.claims.claim(ctx, id, key, &h)
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

	res, err := s.index.reserve(&h)
	if err != nil {
		return Status{}, false, err
	}
	foot, err := s.writer.receive(ctx, id, &h, body, res)
	if err != nil {
		res.cancel()
		return Status{}, false, err
	}

	s.index.mu.Lock()
	res.settle(foot.size)
	r := s.index.newRecord(id, foot, Queued)
	s.index.enter(r)
	s.unusable.remove(nameOf(id, dirQueue, extObject)) // the new file has replaced it
	st = r.status(&foot.header)
	s.changes.notify()
	s.index.mu.Unlock()
	s.events.emit(Event{Kind: EventAccepted, ID: h.ID, Destination: h.Destination, UID: h.UID, Size: foot.size})
	return st, false, nil
}

// full reports whether err is a *FullError.
func full(err error) bool {
	var f *FullError
	return errors.As(err, &f)
}
