package spool

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// removeQuietly takes a file away whose absence is what is wanted. What cannot
// be removed now is tried again by tidy.
func (s *Spool) removeQuietly(name string) {
	if err := s.fs.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.mu.Lock()
		s.litter[name] = struct{}{}
		s.mu.Unlock()
		s.tell(Event{Kind: EventLitter, Reason: name, Err: err})
	}
}

// tidy removes what could not be removed before.
func (s *Spool) tidy() {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.litter))
	s.mu.Unlock()
	for _, name := range names {
		if free, mine := s.unowned(name); mine {
			s.removeQuietly(name)
			free()
		}
	}
}

// unowned takes a name off the litter, and keeps others from it until free is
// called. A name goes by the id in it: when an object of that id was accepted
// meanwhile, or is about to be, the file may be that object's. It then stays
// until the object is gone.
func (s *Spool) unowned(name string) (free func(), mine bool) {
	id, _, ours := splitName(path.Base(name))
	key := claimKey{false, id}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ours {
		delete(s.litter, name)
		return func() {}, true
	}
	if s.records[id] != nil || s.claims[key] != nil {
		return nil, false
	}
	delete(s.litter, name)
	mineUntil := make(chan struct{})
	s.claims[key] = mineUntil
	return func() {
		s.mu.Lock()
		delete(s.claims, key)
		s.mu.Unlock()
		close(mineUntil)
	}, true
}
