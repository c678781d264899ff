package spool

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/oklog/ulid/v2"
)

// directory is the files of the spool. Names are relative to its root. It has no list of
// objects: its callers make sure that one call at a time works on the files of an id.
// Its methods may be called from several goroutines.
type directory struct {
	fs     FS
	root   string
	lock   io.Closer
	queue  groupSync // of queue/
	dead   groupSync // of dead/
	events events

	mu              sync.Mutex
	pendingRemovals map[string]struct{}
}

func newDirectory(root string, files FS, to events) *directory {
	d := &directory{fs: files, root: root, events: to, pendingRemovals: map[string]struct{}{}}
	d.queue.sync = func() error { return d.fs.SyncDir(d.path(dirQueue)) }
	d.dead.sync = func() error { return d.fs.SyncDir(d.path(dirDead)) }
	return d
}

func (d *directory) path(name string) string { return filepath.Join(d.root, name) }

func (d *directory) exists(name string) bool {
	_, err := d.fs.Stat(d.path(name))
	return err == nil
}

func (d *directory) discard(name string) error {
	err := d.fs.Remove(d.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ioError("remove", name, err)
	}
	return nil
}

// writeSmall replaces a small file. Its name is durable after a sync of the directory.
func (d *directory) writeSmall(name string, text []byte) error {
	temporary := name + extTemporary
	f, err := d.fs.OpenFile(d.path(temporary), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
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
		op, err = "rename", d.fs.Rename(d.path(temporary), d.path(name))
	}
	if err != nil {
		d.removeQuietly(temporary)
		return ioError(op, name, err)
	}
	return nil
}

// openObject opens the data file of an object. A file of another user is refused: that
// user could have chosen its content, or could change it while it is delivered.
func (d *directory) openObject(name string) (File, error) {
	f, err := d.fs.OpenFile(d.path(name), os.O_RDONLY, 0)
	if err != nil {
		return nil, ioError("open", name, err)
	}
	if onDisk, ok := f.(osFile); ok {
		if err := onDisk.checkOwner(); err != nil {
			return nil, ioError("open", name, errors.Join(err, f.Close()))
		}
	}
	return f, nil
}

// footerOf reads the footer of a file.
func (d *directory) footerOf(id ulid.ULID, name string) (*footer, error) {
	f, err := d.openObject(name)
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
