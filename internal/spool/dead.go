package spool

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/reason"
)

// cause says why an object is in dead/ or quarantine/. It is stored in a file next
// to the object.
type cause struct {
	Reason reason.Reason `json:"reason"`
	Error  string        `json:"error,omitempty"`
	At     time.Time     `json:"at"`
	From   string        `json:"from,omitempty"`
}

func (d *directory) readReason(id ulid.ULID) (cause, error) {
	return d.readCause(nameOf(id, dirDead, extReason))
}

func (d *directory) readCause(name string) (cause, error) {
	var why cause
	f, err := d.fs.OpenFile(d.path(name), os.O_RDONLY, 0)
	if err != nil {
		return why, ioError("open", name, err)
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil || size > maxHeader {
		return why, ioError("stat", name, errors.Join(err, fs.ErrInvalid))
	}
	text := make([]byte, size)
	if err := readAt(f, text, 0); err != nil {
		return why, ioError("read", name, err)
	}
	if !parseLine(text, &why) {
		return why, ioError("read", name, errors.New("the line is damaged"))
	}
	return why, nil
}

// transfer moves a file to another directory. A rename between two directories
// may be half done after a crash on some file systems; a link first is not: the
// file is in one of them at every moment.
func (d *directory) transfer(from, to string) error {
	err := d.fs.Link(d.path(from), d.path(to))
	// An earlier call may have failed after any of its steps; continue from there.
	done := errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) && d.exists(to)
	if err != nil && !done {
		return ioError("link", to, err)
	}
	if err := d.fs.SyncDir(d.path(path.Dir(to))); err != nil {
		return ioError("sync directory", path.Dir(to), err)
	}
	if err := d.fs.Remove(d.path(from)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ioError("remove", from, err)
	}
	return nil
}

// moveToDead moves the file of an object that cannot be delivered to dead/. Its
// journal stays in queue/, because an operator may retry the object.
func (d *directory) moveToDead(id ulid.ULID, why cause) error {
	text, err := line(why)
	if err != nil {
		return err
	}
	// The reason comes first: recovery does not take a dead file without one.
	if err := d.writeSmall(nameOf(id, dirDead, extReason), text); err != nil {
		return err
	}
	from := nameOf(id, dirQueue, extObject)
	if _, err := d.fs.Stat(d.path(from)); errors.Is(err, fs.ErrNotExist) {
		return nil // the file was removed by hand: there is no file to move
	}
	return d.transfer(from, nameOf(id, dirDead, extObject))
}

// reviveFromDead moves the file of a dead object back to queue/.
func (d *directory) reviveFromDead(id ulid.ULID) error {
	dead, queued := nameOf(id, dirDead, extObject), nameOf(id, dirQueue, extObject)
	if err := d.transfer(dead, queued); err != nil {
		return err
	}
	d.removeQuietly(nameOf(id, dirDead, extReason))
	// Without this sync the next start could find the object in dead/ after it was
	// delivered.
	if err := d.dead.commit(); err != nil {
		return ioError("sync directory", dirDead, err)
	}
	return nil
}
