package vend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds the symbolic links on the way to a token file.
const maxLinks = 16

// openWithoutForeignLinks follows path one component at a time.
func openWithoutForeignLinks(path string) (*os.File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir, err := openAt(unix.AT_FDCWD, "/", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(dir) }()
	rest, links := strings.Split(path, "/"), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == "" || name == "." {
			continue
		}
		target, err := linkAt(dir, name)
		switch {
		case err != nil:
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		case target != "":
			if links++; links > maxLinks {
				return nil, &fs.PathError{Op: "open", Path: path, Err: unix.ELOOP}
			}
			rest = append(strings.Split(target, "/"), rest...)
			if !filepath.IsAbs(target) {
				continue
			}
			name = "/"
		case len(rest) == 0:
			fd, err := openAt(dir, name, unix.O_RDONLY|unix.O_NONBLOCK)
			if err != nil {
				return nil, &fs.PathError{Op: "open", Path: path, Err: err}
			}
			return os.NewFile(uintptr(fd), path), nil
		}
		next, err := openAt(dir, name, unix.O_PATH|unix.O_DIRECTORY)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
		_ = unix.Close(dir)
		dir = next
	}
	return nil, errors.New("it is not a regular file")
}

// linkAt returns the target of a symbolic link, and "" for any other file. It opens the
// link, so that its owner and its target are those of the same link.
func linkAt(dir int, name string) (string, error) {
	fd, err := openAt(dir, name, unix.O_PATH)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", nil
	}
	if !trusted(st.Uid) {
		return "", fmt.Errorf("%s is a symbolic link of uid %d: only links of root or of the daemon's user are followed", name, st.Uid)
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// openAt opens a file that is no symbolic link.
func openAt(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, unix.O_CLOEXEC|unix.O_NOFOLLOW|flags, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}
