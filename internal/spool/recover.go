package spool

import (
	"errors"
	"fmt"
	"strings"

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

// recoverer takes the objects of a directory into an empty index, when a spool is opened.
type recoverer struct {
	s        *Spool
	result   Recovery
	warnings []string
}

// run builds the index from the directory. It reads names and footers, and no
// data. It takes no mutex: Open calls it before other goroutines have the spool.
func (r *recoverer) run() error {
	err := r.s.receipts.recover(func(id ulid.ULID, _ *receipt, ref receiptRef) {
		r.s.index.done[id] = ref
		if ref.idem != (idem{}) {
			r.s.index.idems[ref.idem] = id
		}
	}, r.setAside)
	if err != nil {
		return err
	}
	r.result.Receipts = len(r.s.index.done)
	if err := r.s.unusable.recoverQuarantine(); err != nil {
		return err
	}
	if err := r.dead(); err != nil {
		return err
	}
	var journals []ulid.ULID
	err = r.s.dir.fs.ReadDir(r.s.dir.path(dirQueue), func(name string) error {
		id, ext, ok := splitName(name)
		switch {
		case !ok:
			r.warnings = append(r.warnings, fmt.Sprintf("%s/%s is not a file of the spool; it is left in place", dirQueue, name))
			return nil
		case ext == extTemporary:
			r.result.Discarded++
			return r.s.dir.discard(dirQueue + "/" + name)
		case ext == extJournal:
			journals = append(journals, id)
			return nil
		}
		return r.object(id)
	})
	if err != nil {
		return wrapDir(dirQueue, err)
	}
	for _, id := range journals {
		if rec := r.s.index.records[id]; rec != nil {
			rec.journaled = true
		} else if r.s.unusable.files[nameOf(id, dirQueue, extObject)] != nil || r.s.unusable.files[nameOf(id, dirDead, extObject)] != nil {
			continue // it belongs to an object that cannot be read yet
		} else if err := r.s.dir.discard(nameOf(id, dirQueue, extJournal)); err != nil {
			return err
		}
	}
	if err := r.s.dir.fs.SyncDir(r.s.dir.path(dirQueue)); err != nil {
		return ioError("sync directory", dirQueue, err)
	}
	for _, q := range r.result.Quarantined {
		r.s.events.emit(Event{Kind: EventQuarantined, File: q.Name, Err: errors.New(q.Reason)})
	}
	for _, q := range r.result.Unreadable {
		r.s.events.emit(Event{Kind: EventUnreadable, File: q.Name, Err: errors.New(q.Reason)})
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

// object indexes one file of the queue.
func (r *recoverer) object(id ulid.ULID) error {
	name := nameOf(id, dirQueue, extObject)
	if _, delivered := r.s.index.done[id]; delivered {
		r.result.Finished++
		return r.s.dir.discard(name)
	}
	if r.s.index.records[id] != nil {
		return r.s.dir.discard(name) // it is in dead/; a crash came before the unlink
	}
	foot, err := r.s.dir.footerOf(id, name)
	if err != nil {
		r.setAside(name, err)
		return nil
	}
	r.add(id, foot, Queued)
	r.result.Queued++
	return nil
}

// dead indexes the dead objects. A dead file without its reason is a half-done
// move: when the object is also queued, it stays queued.
func (r *recoverer) dead() error {
	err := r.s.dir.fs.ReadDir(r.s.dir.path(dirDead), func(name string) error {
		id, ext, ok := splitName(name)
		switch {
		case strings.HasSuffix(name, extTemporary):
			return r.s.dir.discard(dirDead + "/" + name)
		case !ok:
			r.warnings = append(r.warnings, fmt.Sprintf("%s/%s is not a file of the spool; it is left in place", dirDead, name))
			return nil
		case ext == extReason:
			if !r.s.dir.exists(nameOf(id, dirDead, extObject)) {
				return r.s.dir.discard(dirDead + "/" + name)
			}
			return nil
		case ext != extObject:
			return nil
		}
		if _, delivered := r.s.index.done[id]; delivered {
			r.result.Finished++
			return errors.Join(r.s.dir.discard(dirDead+"/"+name), r.s.dir.discard(nameOf(id, dirDead, extReason)))
		}
		why, err := r.s.dir.readReason(id)
		if err != nil {
			if r.s.dir.exists(nameOf(id, dirQueue, extObject)) {
				return r.s.dir.discard(dirDead + "/" + name)
			}
			why = cause{Reason: reason.Unknown, Error: "the reason is missing"}
		}
		foot, err := r.s.dir.footerOf(id, dirDead+"/"+name)
		if err != nil {
			r.setAside(dirDead+"/"+name, err)
			return nil
		}
		t := r.add(id, foot, Dead).failing()
		t.reason, t.err = why.Reason, why.Error
		r.result.Dead++
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

// setAside handles a file whose footer could not be read, during recovery. A damaged
// file is moved to quarantine/. Any other file stays in place and is read again later.
func (r *recoverer) setAside(name string, why error) {
	var corrupt *CorruptError
	if !errors.As(why, &corrupt) {
		u := r.s.unusable.markUnreadable(name, why)
		r.result.Unreadable = append(r.result.Unreadable, RecoveryProblem{Name: name, Reason: u.text})
		return
	}
	u := r.s.unusable.moveToQuarantine(name, why)
	r.result.Quarantined = append(r.result.Quarantined, RecoveryProblem{Name: name, Reason: u.text})
}

// add adds a recovered object to the index.
func (r *recoverer) add(id ulid.ULID, foot *footer, state State) *record {
	r.s.index.mu.Lock()
	defer r.s.index.mu.Unlock()
	rec := r.s.index.found(id, foot, state)
	r.result.Bytes += rec.size
	return rec
}
