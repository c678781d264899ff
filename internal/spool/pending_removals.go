package spool

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/oklog/ulid/v2"
)

// removeQuietly removes a file that is no longer needed. When the removal fails,
// removePending repeats it.
func (s *Spool) removeQuietly(name string) {
	if err := s.fs.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.mu.Lock()
		s.pendingRemovals[name] = struct{}{}
		s.mu.Unlock()
		s.emit(Event{Kind: EventFilePendingRemoval, File: name, Err: err})
	}
}

// removePending removes the files that could not be removed before.
func (s *Spool) removePending() {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.pendingRemovals))
	s.mu.Unlock()
	for _, name := range names {
		if free, mine := s.unowned(name); mine {
			s.removeQuietly(name)
			free()
		}
	}
}

// unowned takes a name off the pending removals, and locks its id until free is
// called. When an object of that id has been accepted meanwhile, or is about to be,
// the file may belong to that object. Then mine is false and the name stays.
func (s *Spool) unowned(name string) (free func(), mine bool) {
	free = func() {}
	if id, _, ours := splitName(path.Base(name)); ours {
		if free, mine = s.lockID(id); !mine {
			return nil, false
		}
	}
	s.mu.Lock()
	delete(s.pendingRemovals, name)
	s.mu.Unlock()
	return free, true
}

// lockID locks an id that no object has, until free is called.
func (s *Spool) lockID(id ulid.ULID) (free func(), mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := claimKey{false, id}
	if s.records[id] != nil || s.claims[key] != nil {
		return nil, false
	}
	held := make(chan struct{})
	s.claims[key] = held
	return func() {
		s.mu.Lock()
		delete(s.claims, key)
		s.mu.Unlock()
		close(held)
	}, true
}
