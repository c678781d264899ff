package safefile

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Refusal is the error of a file that exists and must not be read.
type Refusal struct{ Why string }

// Error returns the reason.
func (r *Refusal) Error() string { return r.Why }

func refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// Root is an open directory. Close it after use.
type Root struct {
	dir    *os.File
	device uint64
	links  bool
}

// OpenRoot opens a directory. With links, symbolic links below it are followed.
func OpenRoot(dir string, links bool) (*Root, error) {
	f, err := os.OpenFile(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		_ = f.Close() // nothing was written
		return nil, &os.PathError{Op: "fstat", Path: dir, Err: err}
	}
	return &Root{dir: f, device: uint64(st.Dev), links: links}, nil
}

// Close closes the directory.
func (r *Root) Close() { _ = r.dir.Close() }

// Device returns the number of the root's file system.
func (r *Root) Device() uint64 { return r.device }

// Dir opens a directory below the root; "" is the root itself. The caller closes it.
func (r *Root) Dir(rel string) (*os.File, error) {
	if rel == "" || rel == "." {
		rel = "."
	}
	return r.open(rel, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NONBLOCK)
}

// Open opens a regular file for reading. It returns a *Refusal for a link, another file
// system, and every other kind of file.
func (r *Root) Open(rel string) (*os.File, Info, error) {
	f, err := r.open(rel, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return nil, Info{}, err
	}
	info, err := Stat(f)
	switch {
	case err != nil:
	case !info.Regular:
		err = refuse("it is not a regular file")
	case info.Device != r.device:
		err = refuse("it is on another file system than the beginning of its glob")
	default:
		return f, info, nil
	}
	_ = f.Close() // nothing was written
	return nil, info, err
}

func (r *Root) open(rel string, flags int) (*os.File, error) {
	if !clean(rel) {
		return nil, refuse("%q is no path below a directory", rel)
	}
	if !r.links {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := r.openBeneath(rel, flags)
	if err != nil {
		return nil, explained(rel, err)
	}
	return os.NewFile(uintptr(fd), path.Join(r.dir.Name(), rel)), nil
}

// clean reports whether rel stays below its directory by its text alone.
func clean(rel string) bool {
	if rel == "" || strings.HasPrefix(rel, "/") || strings.ContainsRune(rel, 0) {
		return false
	}
	for segment := range strings.SplitSeq(rel, "/") {
		if segment == ".." || segment == "" || segment == "." && rel != "." {
			return false
		}
	}
	return true
}

// explained turns the kernel's refusals into a *Refusal.
func explained(rel string, err error) error {
	switch {
	case errors.Is(err, unix.ELOOP):
		return refuse("a symbolic link is in its path")
	case errors.Is(err, unix.EXDEV):
		return refuse("its path leads to another file system, or out of the watched directory")
	case errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return refuse("it is not a regular file")
	}
	return &os.PathError{Op: "open", Path: rel, Err: err}
}

// stepwise opens rel a segment at a time, and follows no link. It is for kernels without
// openat2.
func (r *Root) stepwise(rel string, flags int) (int, error) {
	segments := strings.Split(rel, "/")
	at := int(r.dir.Fd())
	for i, segment := range segments {
		last := i == len(segments)-1
		how := flags | unix.O_NOFOLLOW
		if !last {
			how = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
		}
		fd, err := openat(at, segment, how)
		if at != int(r.dir.Fd()) {
			_ = unix.Close(at)
		}
		if err != nil {
			return -1, err
		}
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			_ = unix.Close(fd)
			return -1, err
		}
		if uint64(st.Dev) != r.device {
			_ = unix.Close(fd)
			return -1, unix.EXDEV
		}
		if last {
			return fd, nil
		}
		at = fd
	}
	return -1, unix.EINVAL
}

// openat retries after a signal. A link in the last segment of a directory gives ENOTDIR
// with O_DIRECTORY, which is told apart here.
func openat(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ENOTDIR && isLink(dir, name):
			return -1, unix.ELOOP
		}
		return fd, err
	}
}

func isLink(dir int, name string) bool {
	var st unix.Stat_t
	return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
}
