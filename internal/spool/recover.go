package spool

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/reason"
)

// Recovery describes the content of the directory when it was opened.
type Recovery struct {
	Queued, Dead, Receipts int
	Bytes                  int64 // of queued and dead objects
	Discarded              int   // partly written files that were never acknowledged; deleted
	Finished               int   // files of objects that had been delivered; deleted
	Unreadable             []RecoveryProblem
	Quarantined            []RecoveryProblem // found damaged by this start
}

// RecoveryProblem is a file that recovery could not take up.
type RecoveryProblem struct{ Name, Reason string }

// recover builds the index from the directory. It reads names and footers, and no
// data.
func (s *Spool) recover() error {
	err := s.receipts.recover(func(id ulid.ULID, r *receipt, ref receiptRef) {
		s.done[id] = ref
		if ref.idem != (idem{}) {
			s.idems[ref.idem] = id
		}
	}, s.setAside)
	if err != nil {
		return err
	}
	s.recovery.Receipts = len(s.done)
	if err := s.recoverQuarantine(); err != nil {
		return err
	}
	if err := s.recoverDead(); err != nil {
		return err
	}
	var journals []ulid.ULID
	err = s.dir.fs.ReadDir(s.dir.path(dirQueue), func(name string) error {
		id, ext, ok := splitName(name)
		switch {
		case !ok:
			s.warnings = append(s.warnings, fmt.Sprintf("%s/%s is not a file of the spool; it is left in place", dirQueue, name))
			return nil
		case ext == extTemporary:
			s.recovery.Discarded++
			return s.dir.discard(dirQueue + "/" + name)
		case ext == extJournal:
			journals = append(journals, id)
			return nil
		}
		return s.recoverObject(id)
	})
	if err != nil {
		return wrapDir(dirQueue, err)
	}
	for _, id := range journals {
		if r := s.records[id]; r != nil {
			r.journaled = true
		} else if s.unrecovered[nameOf(id, dirQueue, extObject)] != nil || s.unrecovered[nameOf(id, dirDead, extObject)] != nil {
			continue // it belongs to an object that cannot be read yet
		} else if err := s.dir.discard(nameOf(id, dirQueue, extJournal)); err != nil {
			return err
		}
	}
	if err := s.dir.fs.SyncDir(s.dir.path(dirQueue)); err != nil {
		return ioError("sync directory", dirQueue, err)
	}
	for _, q := range s.recovery.Quarantined {
		s.events.emit(Event{Kind: EventQuarantined, File: q.Name, Err: errors.New(q.Reason)})
	}
	for _, q := range s.recovery.Unreadable {
		s.events.emit(Event{Kind: EventUnreadable, File: q.Name, Err: errors.New(q.Reason)})
	}
	return nil
}

func wrapDir(dir string, err error) error {
	var known *IOError
	if errors.As(err, &known) {
		return err
	}
	return ioError("read directory", dir, err)
}

// splitName splits the name of a file. ok is false for a name that the spool does
// not use.
func splitName(name string) (id ulid.ULID, ext string, ok bool) {
	if len(name) != ulid.EncodedSize+4 {
		return id, "", false
	}
	id, err := ulid.ParseStrict(name[:ulid.EncodedSize])
	ext = name[ulid.EncodedSize:]
	if err != nil || id.String() != name[:ulid.EncodedSize] {
		return id, "", false
	}
	switch ext {
	case extTemporary, extObject, extJournal, extReason:
		return id, ext, true
	}
	return id, "", false
}

// recoverObject indexes one file of the queue.
func (s *Spool) recoverObject(id ulid.ULID) error {
	name := nameOf(id, dirQueue, extObject)
	if _, delivered := s.done[id]; delivered {
		s.recovery.Finished++
		return s.dir.discard(name)
	}
	if r := s.records[id]; r != nil {
		return s.dir.discard(name) // it is in dead/; a crash came before the unlink
	}
	foot, err := s.dir.footerOf(id, name)
	if err != nil {
		s.setAside(name, err)
		return nil
	}
	s.index(id, foot, Queued)
	s.recovery.Queued++
	return nil
}

// recoverDead indexes the dead objects. A dead file without its reason is a half-done
// move: when the object is also queued, it stays queued.
func (s *Spool) recoverDead() error {
	err := s.dir.fs.ReadDir(s.dir.path(dirDead), func(name string) error {
		id, ext, ok := splitName(name)
		switch {
		case strings.HasSuffix(name, extTemporary):
			return s.dir.discard(dirDead + "/" + name)
		case !ok:
			s.warnings = append(s.warnings, fmt.Sprintf("%s/%s is not a file of the spool; it is left in place", dirDead, name))
			return nil
		case ext == extReason:
			if !s.dir.exists(nameOf(id, dirDead, extObject)) {
				return s.dir.discard(dirDead + "/" + name)
			}
			return nil
		case ext != extObject:
			return nil
		}
		if _, delivered := s.done[id]; delivered {
			s.recovery.Finished++
			return errors.Join(s.dir.discard(dirDead+"/"+name), s.dir.discard(nameOf(id, dirDead, extReason)))
		}
		why, err := s.dir.readReason(id)
		if err != nil {
			if s.dir.exists(nameOf(id, dirQueue, extObject)) {
				return s.dir.discard(dirDead + "/" + name)
			}
			why = cause{Reason: reason.Unknown, Error: "the reason is missing"}
		}
		foot, err := s.dir.footerOf(id, dirDead+"/"+name)
		if err != nil {
			s.setAside(dirDead+"/"+name, err)
			return nil
		}
		r := s.index(id, foot, Dead)
		t := r.failing()
		t.reason, t.err = why.Reason, why.Error
		s.recovery.Dead++
		return nil
	})
	return wrapDirNil(dirDead, err)
}

func wrapDirNil(dir string, err error) error {
	if err == nil {
		return nil
	}
	return wrapDir(dir, err)
}

// index adds a recovered object to the index.
func (s *Spool) index(id ulid.ULID, foot *footer, state State) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.found(id, foot, state)
	s.recovery.Bytes += r.size
	return r
}

// found adds an object on disk to the index and to the quotas; mu is held.
func (s *Spool) found(id ulid.ULID, foot *footer, state State) *record {
	r := s.newRecord(id, foot, state)
	s.total += r.size
	s.userBytes[r.uid] += r.size
	r.queue.bytes += r.size
	r.queue.files++
	s.enter(r)
	return r
}

func (s *Spool) newRecord(id ulid.ULID, foot *footer, state State) *record {
	return &record{
		id: id, queue: s.queue(foot.header.Destination), idem: foot.header.idem(), size: foot.size,
		received: foot.header.Received.UnixNano(), uid: foot.header.UID, crc: foot.crc, state: state,
	}
}

// enter adds a record to the index; mu is held.
func (s *Spool) enter(r *record) {
	s.records[r.id] = r
	if r.idem != (idem{}) {
		s.idems[r.idem] = r.id
	}
	if r.state != Dead {
		r.queue.noteOldest(r)
	}
	s.count(r, 1)
	if r.state == Queued {
		r.queue.put(r, time.Now())
	}
}
