package safefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// FileSystem is the kind of a file system.
type FileSystem struct {
	Name   string // of a pseudo or remote file system; empty otherwise
	Pseudo bool   // its files have no content of their own: proc, sysfs
	Remote bool   // other hosts or processes change it, without a notification
}

// Info is the state of a file. Two values are equal when the file did not change.
type Info struct {
	Device, Inode uint64
	Size          int64
	Mtime, Ctime  int64 // in nanoseconds since 1970
	UID, GID      uint32
	Links         uint64
	Regular       bool
	Link          bool // a symbolic link
	Directory     bool
}

// SameContent reports whether both are the same file with the same size and modification
// time. A rename changes Ctime alone.
func (i Info) SameContent(o Info) bool {
	return i.Device == o.Device && i.Inode == o.Inode && i.Size == o.Size && i.Mtime == o.Mtime
}

func infoOf(st *unix.Stat_t) Info {
	kind := st.Mode & unix.S_IFMT
	return Info{
		Device: uint64(st.Dev), Inode: st.Ino, Size: st.Size, UID: st.Uid, GID: st.Gid, Links: uint64(st.Nlink),
		Mtime: mtimeOf(st), Ctime: ctimeOf(st), Regular: kind == unix.S_IFREG, Link: kind == unix.S_IFLNK, Directory: kind == unix.S_IFDIR,
	}
}

// Stat returns the state of an open file.
func Stat(f *os.File) (Info, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return Info{}, err
	}
	var st unix.Stat_t
	if cerr := raw.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) }); cerr != nil {
		return Info{}, cerr
	}
	if err != nil {
		return Info{}, &os.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	return infoOf(&st), nil
}

// StatAt returns the state of a name in an open directory. With links it follows a
// symbolic link.
func StatAt(dir *os.File, name string, links bool) (Info, error) {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if links {
		flags = 0
	}
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, flags); err != nil {
		return Info{}, &os.PathError{Op: "stat", Path: name, Err: err}
	}
	return infoOf(&st), nil
}
