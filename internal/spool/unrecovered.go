package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
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
	for _, u := range s.unrecoveredNow() {
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

// unrecoveredNow returns the unusable files, sorted by name. A file that an operator
// has removed is forgotten.
func (s *Spool) unrecoveredNow() []*unrecovered {
	s.mu.Lock()
	list := slices.Collect(maps.Values(s.unrecovered))
	s.mu.Unlock()
	list = slices.DeleteFunc(list, func(u *unrecovered) bool {
		_, err := s.dir.fs.Stat(s.dir.path(u.name))
		if !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		s.forgetUnrecovered(u.name)
		return true
	})
	slices.SortFunc(list, func(a, b *unrecovered) int { return strings.Compare(a.name, b.name) })
	return list
}

func (s *Spool) forgetUnrecovered(name string) {
	s.mu.Lock()
	delete(s.unrecovered, name)
	s.mu.Unlock()
}

// unrecoveredOf returns the unusable file of an object; nil without one. mu is held.
func (s *Spool) unrecoveredOf(id ulid.ULID) *unrecovered {
	for _, name := range []string{nameOf(id, dirQueue, extObject), nameOf(id, dirDead, extObject), nameOf(id, dirQuarantine, extObject)} {
		if u := s.unrecovered[name]; u != nil {
			return u
		}
	}
	return nil
}

// setAside handles a file whose footer could not be read, during recovery. A damaged
// file is moved to quarantine/. Any other file stays in place and is read again later.
func (s *Spool) setAside(name string, why error) {
	var corrupt *CorruptError
	if !errors.As(why, &corrupt) {
		u := s.markUnreadable(name, why)
		s.recovery.Unreadable = append(s.recovery.Unreadable, RecoveryProblem{Name: name, Reason: u.text})
		return
	}
	u := s.moveToQuarantine(name, why)
	s.recovery.Quarantined = append(s.recovery.Quarantined, RecoveryProblem{Name: name, Reason: u.text})
}

// markUnreadable records a file that cannot be read.
func (s *Spool) markUnreadable(name string, why error) *unrecovered {
	u := &unrecovered{name: name, state: Unreadable, since: time.Now().UTC()}
	u.id, _, _ = splitName(path.Base(name))
	info, err := s.dir.fs.Stat(s.dir.path(name))
	if err == nil {
		u.size = info.Size()
	}
	u.text = fmt.Sprintf("%s cannot be read: %v; %s", name, errnoOf(why), s.repair(name, info, why))
	s.mu.Lock()
	if known := s.unrecovered[name]; known != nil {
		u.since = known.since
	}
	s.unrecovered[name] = u
	s.mu.Unlock()
	return u
}

// errnoOf is the system's error without the names around it.
func errnoOf(err error) error {
	if errors.Is(err, errNotRegular) {
		return errNotRegular
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// repair tells an operator how to make a file readable; info may be nil.
func (s *Spool) repair(name string, info fs.FileInfo, why error) string {
	full := s.dir.path(name)
	switch {
	case errors.Is(why, fs.ErrPermission):
		uid, owner := os.Geteuid(), "another user"
		if info != nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				owner = fmt.Sprintf("user %d with mode %04o", st.Uid, info.Mode().Perm())
			}
		}
		return fmt.Sprintf("it belongs to %s and the daemon runs as user %d; run: chown %d %s && chmod 0600 %s", owner, uid, uid, full, full)
	case errors.Is(why, syscall.EMFILE), errors.Is(why, syscall.ENFILE):
		return "the daemon reads it again by itself; raise the limit of open files (LimitNOFILE of the unit, ulimit -n)"
	case errors.Is(why, syscall.EIO):
		return "check the disk (dmesg, smartctl); the daemon reads the file again by itself"
	case errors.Is(why, errNotRegular):
		return "remove it, or put the file itself in its place"
	case errors.Is(why, syscall.ELOOP):
		return "it is a symbolic link; put the file itself in its place"
	default:
		return "the daemon reads it again by itself"
	}
}

// moveToQuarantine moves a damaged file to quarantine/ and records it.
func (s *Spool) moveToQuarantine(name string, why error) *unrecovered {
	aside := dirQuarantine + "/" + path.Base(name)
	u := &unrecovered{name: aside, state: Quarantined, since: time.Now().UTC()}
	u.id, _, _ = splitName(path.Base(name))
	if info, err := s.dir.fs.Stat(s.dir.path(name)); err == nil {
		u.size = info.Size()
	}
	text, err := line(cause{Reason: reason.Unreadable, Error: why.Error(), At: u.since, From: name})
	if err == nil {
		err = s.dir.writeSmall(aside+extReason, text)
	}
	if err == nil {
		err = s.dir.transfer(name, aside)
	}
	u.text = quarantineText(aside, why.Error())
	if err != nil {
		u.name = name // it stays until the next start
		u.text = fmt.Sprintf("%s is damaged: %v; it could not be moved to %s/: %v", name, why, dirQuarantine, err)
	}
	s.mu.Lock()
	delete(s.unrecovered, name)
	s.unrecovered[u.name] = u
	s.mu.Unlock()
	return u
}

func quarantineText(name, why string) string {
	return fmt.Sprintf("%s is damaged: %s; have the object sent again, then run brokerctl spool drop", name, why)
}

// recoverQuarantine lists the files that earlier starts moved to quarantine/.
func (s *Spool) recoverQuarantine() error {
	err := s.dir.fs.ReadDir(s.dir.path(dirQuarantine), func(base string) error {
		name := dirQuarantine + "/" + base
		if strings.HasSuffix(base, extTemporary) {
			return s.dir.discard(name)
		}
		if strings.HasSuffix(base, extReason) {
			return nil
		}
		u := &unrecovered{name: name, state: Quarantined, since: time.Now().UTC()}
		u.id, _, _ = splitName(base)
		if info, err := s.dir.fs.Stat(s.dir.path(name)); err == nil {
			u.size = info.Size()
		}
		why := "its reason cannot be read"
		if c, err := s.dir.readCause(name + extReason); err == nil {
			why, u.since = c.Error, c.At
		}
		u.text = quarantineText(name, why)
		s.unrecovered[name] = u
		return nil
	})
	return wrapDirNil(dirQuarantine, err)
}

// rereadAll reads the unreadable files again, and returns how many are left.
func (s *Spool) rereadAll() (left int) {
	for _, u := range s.unrecoveredNow() {
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
	mine := s.claimUnused(u.id)
	if mine == nil {
		return nil // the object was sent again: its new file replaces this one
	}
	defer mine.release()
	foot, err := s.dir.footerOf(u.id, u.name)
	var corrupt *CorruptError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.forgetUnrecovered(u.name)
		return nil
	case errors.As(err, &corrupt):
		moved := s.moveToQuarantine(u.name, err)
		s.events.emit(Event{Kind: EventQuarantined, File: u.name, Err: errors.New(moved.text)})
		return nil
	case err != nil:
		s.markUnreadable(u.name, err)
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
	s.mu.Lock()
	delete(s.unrecovered, u.name)
	event := Event{Kind: EventRecovered, ID: u.id.String(), Destination: foot.header.Destination, UID: foot.header.UID, Size: foot.size}
	if _, delivered := s.done[u.id]; !delivered {
		r := s.found(u.id, foot, state)
		r.journaled = journaled
		if state == Dead {
			r.failing().reason, r.failing().err = why.Reason, why.Error
			s.settled(u.id)
		}
		s.notify()
	}
	s.mu.Unlock()
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
		s.forgetUnrecovered(u.name)
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
		s.markUnreadable(u.name, err)
		return err
	}
	s.receipts.count += f.count - old.count
	old.count, old.newest = f.count, later(old.newest, f.newest)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unrecovered, u.name)
	for _, l := range lines {
		if s.records[l.id] != nil {
			continue
		}
		if _, known := s.done[l.id]; known {
			continue
		}
		s.done[l.id] = l.ref
		if l.ref.idem != (idem{}) && s.idems[l.ref.idem] == (ulid.ULID{}) {
			s.idems[l.ref.idem] = l.id
		}
	}
	return nil
}

// dropUnrecovered removes the file of an object that cannot be delivered.
func (s *Spool) dropUnrecovered(u *unrecovered, force bool) error {
	if u.state == Unreadable && !force {
		return fmt.Errorf("spool: %s is %s: %w", u.id, u.state, ErrState)
	}
	mine := s.claimUnused(u.id)
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
	s.mu.Lock()
	delete(s.unrecovered, u.name)
	s.settled(u.id)
	s.mu.Unlock()
	s.events.emit(Event{Kind: EventDropped, ID: u.id.String(), Size: u.size})
	return nil
}

// rereadDue reads unreadable files again when that is due, and returns when it is
// due next; zero when every file was read.
func (s *Spool) rereadDue(now time.Time) time.Time {
	s.mu.Lock()
	at := s.rereadAt
	unreadable := false
	for _, u := range s.unrecovered {
		unreadable = unreadable || u.state == Unreadable
	}
	s.mu.Unlock()
	if !unreadable {
		return time.Time{}
	}
	if now.Before(at) {
		return at
	}
	left := s.rereadAll()
	s.mu.Lock()
	defer s.mu.Unlock()
	if left == 0 {
		return time.Time{}
	}
	s.rereadAt = now.Add(s.rereadWait)
	s.rereadWait = min(2*s.rereadWait, housekeeping)
	return s.rereadAt
}
