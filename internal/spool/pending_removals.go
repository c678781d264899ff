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
func (d *directory) removeQuietly(name string) {
	if err := d.fs.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.mu.Lock()
		d.pendingRemovals[name] = struct{}{}
		d.mu.Unlock()
		d.events.emit(Event{Kind: EventFilePendingRemoval, File: name, Err: err})
	}
}

// pending returns the names of the files that could not be removed before.
func (d *directory) pending() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.pendingRemovals))
}

func (d *directory) notPending(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.pendingRemovals, name)
}

// unlinked reports whether the data of all delivered objects is gone from the
// medium. A receipt must outlive its data, because it prevents another delivery.
func (d *directory) unlinked() bool {
	d.mu.Lock()
	for name := range d.pendingRemovals {
		if path.Ext(name) == extObject {
			d.mu.Unlock()
			return false
		}
	}
	d.mu.Unlock()
	err := d.queue.commit()
	if err != nil {
		d.events.emit(Event{Kind: EventFilePendingRemoval, File: dirQueue, Err: err})
	}
	return err == nil
}

// removePending removes the files that could not be removed before.
func (s *Spool) removePending() {
	for _, name := range s.dir.pending() {
		if mine, ok := s.unowned(name); ok {
			s.dir.removeQuietly(name)
			mine.release()
		}
	}
}

// unowned takes a name off the pending removals, and claims its id. When an object of
// that id has been accepted meanwhile, or is about to be, the file may belong to that
// object. Then ok is false and the name stays. A name without an id needs no claim.
func (s *Spool) unowned(name string) (mine *claim, ok bool) {
	if id, _, ours := splitName(path.Base(name)); ours {
		if mine = s.claims.claimUnused(id); mine == nil {
			return nil, false
		}
	}
	s.dir.notPending(name)
	return mine, true
}
