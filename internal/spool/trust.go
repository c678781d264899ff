//go:build unix

package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// CheckParents returns an error when another user could replace the spool's directory:
// a directory above it belongs to another user, or all users may write to it and it has
// no sticky bit. Root, this process's user and the owner of the spool are no others. A
// directory that does not exist yet is created with the mode 0700.
func CheckParents(dir string) error {
	trusted := []uint32{0, uint32(os.Geteuid())}
	if st, err := ownerOf(dir); err == nil {
		trusted = append(trusted, st)
	}
	return checkParents(dir, trusted)
}

func ownerOf(dir string) (uint32, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.New("the owner is not known")
	}
	return st.Uid, nil
}

// checkOwner returns an error unless this process's user, or root, owns dir, and nobody
// else could replace it. Another user's directory could be emptied, or filled with
// objects of that user's choice.
func checkOwner(dir string) error {
	uid, err := ownerOf(dir)
	if err != nil {
		return ioError("stat", dir, err)
	}
	own := []uint32{0, uint32(os.Geteuid())}
	if !slices.Contains(own, uid) {
		return fmt.Errorf("spool: %s belongs to uid %d, which could remove or add objects; "+
			"run chown on it, or set spool.dir to a new directory", dir, uid)
	}
	return checkParents(dir, own)
}

func checkParents(dir string, trusted []uint32) error {
	parent, err := filepath.Abs(filepath.Dir(dir))
	if err == nil {
		parent, err = filepath.EvalSymlinks(parent)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // creating the spool fails, and says so
	}
	if err != nil {
		return ioError("resolve", dir, err)
	}
	for {
		info, err := os.Lstat(parent)
		if err != nil {
			return ioError("stat", parent, err)
		}
		uid, err := ownerOf(parent)
		switch {
		case err != nil:
			return ioError("stat", parent, err)
		case info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0:
			return fmt.Errorf("spool: all users may write to %s, and could replace %s; "+
				"run chmod o-w (or +t) on it, or set spool.dir to another place", parent, dir)
		case !slices.Contains(trusted, uid):
			return fmt.Errorf("spool: %s belongs to uid %d, which could replace %s; run chown on it, or set spool.dir to another place",
				parent, uid, dir)
		}
		if parent == filepath.Dir(parent) {
			return nil
		}
		parent = filepath.Dir(parent)
	}
}
