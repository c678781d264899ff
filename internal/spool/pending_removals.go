package spool

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
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
		if mine, ok := s.unowned(name); ok {
			s.removeQuietly(name)
			mine.release()
		}
	}
}

// unowned takes a name off the pending removals, and claims its id. When an object of
// that id has been accepted meanwhile, or is about to be, the file may belong to that
// object. Then ok is false and the name stays. A name without an id needs no claim.
func (s *Spool) unowned(name string) (mine *claim, ok bool) {
	if id, _, ours := splitName(path.Base(name)); ours {
		if mine = s.claimUnused(id); mine == nil {
			return nil, false
		}
	}
	s.mu.Lock()
	delete(s.pendingRemovals, name)
	s.mu.Unlock()
	return mine, true
}
