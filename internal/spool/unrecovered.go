package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/reason"
)

// rereadFirst is the wait before unreadable files are read again for the first
// time. It doubles up to the interval of housekeeping.
const rereadFirst = 10 * time.Second

// Unrecovered counts the files whose objects the spool cannot deliver.
type Unrecovered struct {
	Unreadable, Quarantined           int
	UnreadableBytes, QuarantinedBytes int64
	// Detail is the problem of the first file, with its repair; empty without one.
	Detail string
}

// unrecovered is one file that the spool cannot use. Its destination and its owner
// are unknown, because they are in the footer.
type unrecovered struct {
	name  string    // relative to the directory of the spool
	id    ulid.ULID // zero for a log of receipts
	state State     // Unreadable or Quarantined
	size  int64
	text  string // the problem and its repair
	since time.Time
}

func (u *unrecovered) status() Status {
	st := Status{State: u.state, Size: u.size, LastError: u.text, LastReason: reason.Unreadable, Received: u.since}
	if u.id != (ulid.ULID{}) {
		st.ID, st.Received = u.id.String(), u.id.Timestamp().UTC()
	}
	if u.state == Quarantined {
		st.LastReason = reason.Corrupt
	}
	return st
}

// Unrecovered counts the files of accepted objects that cannot be delivered: files
// that the daemon cannot read, and damaged files in quarantine/.
func (s *Spool) Unrecovered() Unrecovered {
	var out Unrecovered
	for _, u := range s.unusable.list() {
		if out.Detail == "" || out.Unreadable == 0 && u.state == Unreadable {
			out.Detail = u.text
		}
		switch u.state {
		case Unreadable:
			out.Unreadable++
			out.UnreadableBytes += u.size
		default:
			out.Quarantined++
			out.QuarantinedBytes += u.size
		}
	}
	return out
}

// rereadAll reads the unreadable files again, and returns how many are left.
func (s *Spool) rereadAll() (left int) {
	for _, u := range s.unusable.list() {
		if u.state == Unreadable && s.reread(u) != nil {
			left++
		}
	}
	return left
}

// reread reads one unreadable file again. It returns nil when the file needs no
// further attention: it was read, moved to quarantine, or is gone.
func (s *Spool) reread(u *unrecovered) error {
	if u.id == (ulid.ULID{}) {
		return s.rereadLog(u)
	}
	mine := s.claims.claimUnused(u.id)
	if mine == nil {
		return nil // the object was sent again: its new file replaces this one
	}
	defer mine.release()
	foot, err := s.dir.footerOf(u.id, u.name)
	var corrupt *CorruptError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.unusable.forget(u.name)
		return nil
	case errors.As(err, &corrupt):
		moved := s.unusable.moveToQuarantine(u.name, err)
		s.events.emit(Event{Kind: EventQuarantined, File: u.name, Err: errors.New(moved.text)})
		return nil
	case err != nil:
		s.unusable.markUnreadable(u.name, err)
		return err
	}
	state, why := Queued, cause{}
	if path.Dir(u.name) == dirDead {
		state = Dead
		if why, err = s.dir.readReason(u.id); err != nil {
			why = cause{Reason: reason.Unknown, Error: "the reason is missing"}
		}
	}
	journaled := s.dir.exists(nameOf(u.id, dirQueue, extJournal))
	s.index.mu.Lock()
	s.unusable.remove(u.name)
	event := Event{Kind: EventRecovered, ID: u.id.String(), Destination: foot.header.Destination, UID: foot.header.UID, Size: foot.size}
	if _, delivered := s.index.done[u.id]; !delivered {
		r := s.index.found(u.id, foot, state)
		r.journaled = journaled
		if state == Dead {
			r.failing().reason, r.failing().err = why.Reason, why.Error
			s.changes.settled(u.id)
		}
		s.changes.notify()
	}
	s.index.mu.Unlock()
	s.events.emit(event)
	return nil
}

// rereadLog replays a log of receipts again. A receipt of an object that is queued
// again meanwhile comes too late and is left out.
func (s *Spool) rereadLog(u *unrecovered) error {
	s.receipts.mu.Lock()
	defer s.receipts.mu.Unlock()
	at := slices.IndexFunc(s.receipts.logs, func(f *receiptFile) bool { return f.name == u.name })
	if at < 0 {
		s.unusable.forget(u.name)
		return nil
	}
	old := s.receipts.logs[at]
	f := &receiptFile{name: old.name}
	type line struct {
		id  ulid.ULID
		ref receiptRef
	}
	var lines []line
	err := s.receipts.replay(f, func(id ulid.ULID, _ *receipt, ref receiptRef) {
		ref.log = old
		lines = append(lines, line{id, ref})
	})
	if err != nil {
		s.unusable.markUnreadable(u.name, err)
		return err
	}
	s.receipts.count += f.count - old.count
	old.count, old.newest = f.count, later(old.newest, f.newest)
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	s.unusable.remove(u.name)
	for _, l := range lines {
		if s.index.records[l.id] != nil {
			continue
		}
		if _, known := s.index.done[l.id]; known {
			continue
		}
		s.index.done[l.id] = l.ref
		if l.ref.idem != (idem{}) && s.index.idems[l.ref.idem] == (ulid.ULID{}) {
			s.index.idems[l.ref.idem] = l.id
		}
	}
	return nil
}

// dropUnrecovered removes the file of an object that cannot be delivered.
func (s *Spool) dropUnrecovered(u *unrecovered, force bool) error {
	if u.state == Unreadable && !force {
		return fmt.Errorf("spool: %s is %s: %w", u.id, u.state, ErrState)
	}
	mine := s.claims.claimUnused(u.id)
	if mine == nil {
		return fmt.Errorf("spool: %s is in use by another command: %w", u.id, ErrState)
	}
	defer mine.release()
	for _, name := range []string{u.name, u.name + extReason, nameOf(u.id, dirDead, extReason), nameOf(u.id, dirQueue, extJournal)} {
		if err := s.dir.discard(name); err != nil {
			return err
		}
	}
	if err := s.dir.fs.SyncDir(s.dir.path(path.Dir(u.name))); err != nil {
		return ioError("sync directory", path.Dir(u.name), err)
	}
	s.index.mu.Lock()
	s.unusable.remove(u.name)
	s.changes.settled(u.id)
	s.index.mu.Unlock()
	s.events.emit(Event{Kind: EventDropped, ID: u.id.String(), Size: u.size})
	return nil
}

// rereadDue reads unreadable files again when that is due, and returns when it is
// due next; zero when every file was read.
func (s *Spool) rereadDue(now time.Time) time.Time {
	s.index.mu.Lock()
	at := s.rereadAt
	unreadable := false
	for _, u := range s.unusable.files {
		unreadable = unreadable || u.state == Unreadable
	}
	s.index.mu.Unlock()
	if !unreadable {
		return time.Time{}
	}
	if now.Before(at) {
		return at
	}
	left := s.rereadAll()
	s.index.mu.Lock()
	defer s.index.mu.Unlock()
	if left == 0 {
		return time.Time{}
	}
	s.rereadAt = now.Add(s.rereadWait)
	s.rereadWait = min(2*s.rereadWait, housekeeping)
	return s.rereadAt
}
