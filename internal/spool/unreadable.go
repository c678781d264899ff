package spool

import (
	"errors"
	"io/fs"

	"github.com/oklog/ulid/v2"
)

// retryAllUnread takes up objects that were accepted and that the disk did not give when
// the spool was opened: what hindered it may have passed.
func (s *Spool) retryAllUnread() {
	ids := s.unread
	s.unread = nil
	for _, id := range ids {
		if !s.retryUnread(id) {
			s.unread = append(s.unread, id)
		}
	}
}

// retryUnread says whether nothing is left to be done about an object.
func (s *Spool) retryUnread(id ulid.ULID) bool {
	free, mine := s.lockID(id)
	if !mine {
		return false // it was sent again; when that has ended, so has this
	}
	defer free()
	name := nameOf(id, dirQueue, extObject)
	foot, err := s.footerOf(id, name)
	var corrupt *CorruptError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true
	case errors.As(err, &corrupt):
		s.emit(Event{Kind: EventQuarantined, ID: name, Reason: s.moveToQuarantine(name, err)})
		return true
	case err != nil:
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, delivered := s.done[id]; !delivered {
		s.found(id, foot, Queued)
		s.notify()
	}
	return true
}
