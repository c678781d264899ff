package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/reason"
)

const formatVersion = "brokerd spool 1\n"

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

// prepare creates or checks the directory and locks it.
func (s *Spool) prepare() (err error) {
	dir := s.opts.Dir
	err = s.fs.Mkdir(dir, 0o700)
	if err == nil {
		err = s.fs.SyncDir(filepath.Dir(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return ioError("create directory", dir, err)
	}
	info, err := s.fs.Stat(dir)
	if err != nil {
		return ioError("stat", dir, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("spool: %s is not a directory", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("spool: %s has mode %04o: other users could read the objects in it; run chmod 0700 on it", dir, info.Mode().Perm())
	}
	if _, real := s.fs.(osFS); real {
		if err := checkOwner(dir); err != nil {
			return err
		}
	}
	space, err := s.fs.Space(dir)
	if err != nil {
		return ioError("statfs", dir, err)
	}
	if unsafe := checkFileSystem(dir, space.Type); unsafe != nil {
		if !s.opts.AllowVolatile {
			return unsafe
		}
		s.warnings = append(
			s.warnings,
			fmt.Sprintf("the spool %s is on %s: %s; acknowledged objects may be lost", dir, unsafe.FileSystem, unsafe.Why),
		)
	}
	s.lock, err = s.fs.Lock(s.path("lock"), holder(os.Getpid(), time.Now()))
	if err != nil {
		var locked *LockedError
		if errors.As(err, &locked) {
			locked.Dir = dir
			return locked
		}
		return ioError("lock", "lock", err)
	}
	if err := s.format(); err != nil {
		return errors.Join(err, s.lock.Close())
	}
	return nil
}

// format checks the version of the directory, or sets up an empty directory.
func (s *Spool) format() error {
	f, err := s.fs.OpenFile(s.path("version"), os.O_RDONLY, 0)
	if err == nil {
		text := make([]byte, len(formatVersion)+1)
		n, _ := f.ReadAt(text, 0)
		_ = f.Close()
		if string(text[:n]) != formatVersion {
			return fmt.Errorf(
				"spool: %s has the format %q; this version of brokerd reads %q only",
				s.opts.Dir,
				strings.TrimSpace(string(text[:n])),
				strings.TrimSpace(formatVersion),
			)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return ioError("open", "version", err)
	}
	fresh := err != nil
	if fresh {
		foreign := ""
		err := s.fs.ReadDir(s.opts.Dir, func(name string) error {
			switch name {
			case "lock", "version.tmp", dirQueue, dirReceipts, dirDead, dirQuarantine, "lost+found":
				return nil
			}
			foreign = name
			return nil
		})
		if err != nil {
			return ioError("read directory", ".", err)
		}
		if foreign != "" {
			return fmt.Errorf(
				"spool: %s is not a spool and not empty (it contains %q); set spool.dir to an empty or new directory",
				s.opts.Dir,
				foreign,
			)
		}
	}
	for _, d := range []string{dirQueue, dirReceipts, dirDead, dirQuarantine} {
		if err := s.fs.Mkdir(s.path(d), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return ioError("create directory", d, err)
		}
	}
	if fresh {
		// The version comes last: it says that the directories exist.
		if err := s.fs.SyncDir(s.opts.Dir); err != nil {
			return ioError("sync directory", ".", err)
		}
		if err := s.writeSmall("version", []byte(formatVersion)); err != nil {
			return err
		}
		if err := s.fs.SyncDir(s.opts.Dir); err != nil {
			return ioError("sync directory", ".", err)
		}
	}
	return nil
}

// writeSmall replaces a small file. Its name is durable after a sync of the directory.
func (s *Spool) writeSmall(name string, text []byte) error {
	temporary := name + extTemporary
	f, err := s.fs.OpenFile(s.path(temporary), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return ioError("create", temporary, err)
	}
	_, err = f.Write(text)
	op := "write"
	if err == nil {
		op, err = "sync", f.Sync()
	}
	if c := f.Close(); err == nil && c != nil {
		op, err = "close", c
	}
	if err == nil {
		op, err = "rename", s.fs.Rename(s.path(temporary), s.path(name))
	}
	if err != nil {
		s.removeQuietly(temporary)
		return ioError(op, name, err)
	}
	return nil
}

// recover builds the index from the directory. It reads names and footers, and no
// data.
func (s *Spool) recover() error {
	err := s.receipts.recover(func(id ulid.ULID, r *receipt, ref receiptRef) {
		s.done[id] = ref
		if ref.idem != (idem{}) {
			s.idems[ref.idem] = id
		}
	})
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
	err = s.fs.ReadDir(s.path(dirQueue), func(name string) error {
		id, ext, ok := splitName(name)
		switch {
		case !ok:
			s.warnings = append(s.warnings, fmt.Sprintf("%s/%s is not a file of the spool; it is left in place", dirQueue, name))
			return nil
		case ext == extTemporary:
			s.recovery.Discarded++
			return s.discard(dirQueue + "/" + name)
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
		} else if err := s.discard(nameOf(id, dirQueue, extJournal)); err != nil {
			return err
		}
	}
	if err := s.fs.SyncDir(s.path(dirQueue)); err != nil {
		return ioError("sync directory", dirQueue, err)
	}
	for _, q := range s.recovery.Quarantined {
		s.emit(Event{Kind: EventQuarantined, File: q.Name, Err: errors.New(q.Reason)})
	}
	for _, q := range s.recovery.Unreadable {
		s.emit(Event{Kind: EventUnreadable, File: q.Name, Err: errors.New(q.Reason)})
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
		return s.discard(name)
	}
	if r := s.records[id]; r != nil {
		return s.discard(name) // it is in dead/; a crash came before the unlink
	}
	foot, err := s.footerOf(id, name)
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
	err := s.fs.ReadDir(s.path(dirDead), func(name string) error {
		id, ext, ok := splitName(name)
		switch {
		case strings.HasSuffix(name, extTemporary):
			return s.discard(dirDead + "/" + name)
		case !ok:
			s.warnings = append(s.warnings, fmt.Sprintf("%s/%s is not a file of the spool; it is left in place", dirDead, name))
			return nil
		case ext == extReason:
			if !s.exists(nameOf(id, dirDead, extObject)) {
				return s.discard(dirDead + "/" + name)
			}
			return nil
		case ext != extObject:
			return nil
		}
		if _, delivered := s.done[id]; delivered {
			s.recovery.Finished++
			return errors.Join(s.discard(dirDead+"/"+name), s.discard(nameOf(id, dirDead, extReason)))
		}
		why, err := s.readReason(id)
		if err != nil {
			if s.exists(nameOf(id, dirQueue, extObject)) {
				return s.discard(dirDead + "/" + name)
			}
			why = cause{Reason: reason.Unknown, Error: "the reason is missing"}
		}
		foot, err := s.footerOf(id, dirDead+"/"+name)
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

func (s *Spool) exists(name string) bool {
	_, err := s.fs.Stat(s.path(name))
	return err == nil
}

func (s *Spool) discard(name string) error {
	err := s.fs.Remove(s.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ioError("remove", name, err)
	}
	return nil
}

// footerOf reads the footer of a file.
func (s *Spool) footerOf(id ulid.ULID, name string) (*footer, error) {
	f, err := s.openObject(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return nil, ioError("stat", name, err)
	}
	foot, err := readFooter(f, size, id.String())
	if err != nil {
		var corrupt *CorruptError
		if errors.As(err, &corrupt) {
			return nil, err
		}
		return nil, ioError("read", name, err)
	}
	return foot, nil
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
