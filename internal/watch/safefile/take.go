package safefile

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrElsewhere is returned when the name belongs to another file, or to none. The file was
// renamed or replaced; it was not touched.
var ErrElsewhere = errors.New("the name belongs to another file now")

// ErrChanged is returned when the file was written to, or is open for writing. It keeps
// its name.
var ErrChanged = errors.New("the file has changed, or a process has it open for writing")

// stagedPrefix begins the names of files that are about to be removed.
const stagedPrefix = ".brokerd-"

// idLength is the length of the id in a staged name.
const idLength = 26

// longestName is the longest name of a file, in bytes.
const longestName = 255

// StagedName returns the name that a file has while it is removed. ok is false when that
// name would be too long.
func StagedName(id, base string) (name string, ok bool) {
	name = stagedPrefix + id + "." + base
	return name, len(name) <= longestName && len(id) == idLength
}

// Unstaged returns the name that a staged file had before. A crash leaves a staged file;
// the next scan continues with it.
func Unstaged(name string) (base string, ok bool) {
	rest, ok := strings.CutPrefix(name, stagedPrefix)
	if !ok || len(rest) < idLength+2 || rest[idLength] != '.' {
		return "", false
	}
	return rest[idLength+1:], true
}

// File is an open file with its name and its expected state.
type File struct {
	F    *os.File
	Rel  string // its name below the root
	Want Info
}

// Remove removes a file. id makes its temporary name unique. before is called when the
// file can no longer get away, and ahead of its removal; its error keeps the file.
func (r *Root) Remove(file File, id string, before func(dir *os.File) error) error {
	dir, err := r.Dir(path.Dir(file.Rel))
	if err != nil {
		return elsewhere(err)
	}
	defer dir.Close() //nolint:errcheck // nothing was written
	base := path.Base(file.Rel)
	name := base
	staged, fits := StagedName(id, base)
	if _, already := Unstaged(base); fits && !already {
		if err := file.compare(dir, base); err != nil {
			return err
		}
		if err := renameExclusive(dir, base, dir, staged); err != nil {
			return elsewhere(err)
		}
		name = staged
	}
	if err := file.compare(dir, name); err != nil {
		return errors.Join(err, restore(dir, name, dir, base))
	}
	if before != nil {
		if err := before(dir); err != nil {
			return errors.Join(err, restore(dir, name, dir, base))
		}
	}
	if err := unix.Unlinkat(int(dir.Fd()), name, 0); err != nil {
		return errors.Join(&os.PathError{Op: "unlink", Path: path.Join(dir.Name(), name), Err: err}, restore(dir, name, dir, base))
	}
	return nil
}

// Move moves a file to rel below the directory to, which it makes, and returns its new
// path. If that name is taken, the id is appended to it. before is as for Remove.
func (r *Root) Move(file File, id, to, rel string, before func(from, to *os.File) error) (string, error) {
	from, err := r.Dir(path.Dir(file.Rel))
	if err != nil {
		return "", elsewhere(err)
	}
	defer from.Close() //nolint:errcheck // nothing was written
	target, err := OpenDirectory(path.Join(to, path.Dir(rel)), true)
	if err != nil {
		return "", err
	}
	defer target.Close() //nolint:errcheck // nothing was written
	base, name := path.Base(file.Rel), path.Base(rel)
	if err := file.compare(from, base); err != nil {
		return "", err
	}
	err = renameExclusive(from, base, target, name)
	if errors.Is(err, unix.EEXIST) {
		name += "." + id
		err = renameExclusive(from, base, target, name)
	}
	if err != nil {
		return "", elsewhere(err)
	}
	if err := file.compare(target, name); err != nil {
		return "", errors.Join(err, restore(target, name, from, base))
	}
	if before != nil {
		if err := before(from, target); err != nil {
			return "", errors.Join(err, restore(target, name, from, base))
		}
	}
	return path.Join(target.Name(), name), nil
}

// compare returns ErrElsewhere unless name is the open file, and ErrChanged unless it is
// as expected and has no writer.
func (f File) compare(dir *os.File, name string) error {
	named, err := StatAt(dir, name, false)
	if err != nil {
		return elsewhere(err)
	}
	if named.Device != f.Want.Device || named.Inode != f.Want.Inode {
		return ErrElsewhere
	}
	if !named.SameContent(f.Want) || Writers(f.F) == HasWriter {
		return ErrChanged
	}
	return nil
}

// restore gives a file its old name back. A file that got the name meanwhile is not
// replaced.
func restore(dir *os.File, name string, to *os.File, base string) error {
	if name == base && dir.Name() == to.Name() {
		return nil
	}
	if err := renameExclusive(dir, name, to, base); err != nil {
		return fmt.Errorf("giving %s its old name %s back: %w", path.Join(dir.Name(), name), base, err)
	}
	return nil
}

// elsewhere turns "no such file" into ErrElsewhere.
func elsewhere(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return ErrElsewhere
	}
	return err
}

// renameExclusive renames a file, and fails with EEXIST when the new name is taken.
func renameExclusive(from *os.File, name string, to *os.File, newName string) error {
	err := renameNoReplace(int(from.Fd()), name, int(to.Fd()), newName)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// The file system cannot refuse to replace: look first.
		var st unix.Stat_t
		if unix.Fstatat(int(to.Fd()), newName, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			err = unix.EEXIST
		} else {
			err = unix.Renameat(int(from.Fd()), name, int(to.Fd()), newName)
		}
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: path.Join(from.Name(), name), New: path.Join(to.Name(), newName), Err: err}
	}
	return nil
}

// OpenDirectory opens an absolute path and follows no link in it. With create it makes the
// missing directories, for the daemon alone.
func OpenDirectory(absolute string, create bool) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
	at, err := unix.Open("/", flags, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/", Err: err}
	}
	for segment := range strings.SplitSeq(strings.TrimPrefix(path.Clean(absolute), "/"), "/") {
		if segment == "" {
			continue
		}
		fd, err := openat(at, segment, flags)
		if create && err == unix.ENOENT {
			if err = unix.Mkdirat(at, segment, 0o750); err == nil || err == unix.EEXIST {
				fd, err = openat(at, segment, flags)
			}
		}
		_ = unix.Close(at)
		switch {
		case err == unix.ELOOP:
			return nil, refuse("%s: %q in its path is a symbolic link", absolute, segment)
		case err != nil:
			return nil, &os.PathError{Op: "open", Path: absolute, Err: err}
		}
		at = fd
	}
	return os.NewFile(uintptr(at), path.Clean(absolute)), nil
}
