package console

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
)

// WritePrivate replaces a file by one that only this user can read. It never writes to
// the file of another user in a shared directory.
func WritePrivate(path string, data []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// StateDir returns the user's directory for program state.
func StateDir() string {
	state := os.Getenv("XDG_STATE_HOME")
	if filepath.IsAbs(state) {
		return state
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".local", "state")
}

// FirstError returns a, or b when a is nil.
func FirstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// ReadConfigFile returns nil and no error when there is no file.
func ReadConfigFile(path string) ([]byte, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file", path)
	}
	text, err := os.ReadFile(path)
	return text, info, err
}

// WriteConfigFile writes text to path atomically. info describes the existing file, which
// must still hold old. A nil info means that there was no file: one that was created
// meanwhile is not replaced.
func WriteConfigFile(path string, old []byte, info fs.FileInfo, text []byte) (err error) {
	mode := fs.FileMode(0o640)
	if info != nil {
		mode = info.Mode().Perm()
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.part")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		_ = f.Close()
		if rerr := os.Remove(f.Name()); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if info != nil {
		if err := keepOwner(f, info); err != nil {
			return err
		}
	}
	if err := errors.Join(f.Chmod(mode), f.Sync()); err != nil {
		return err
	}
	if info == nil {
		// A link fails if the file was created meanwhile; a rename would replace it.
		if err := os.Link(f.Name(), path); err != nil {
			return fmt.Errorf("giving the file its name: %w", err)
		}
	} else {
		now, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if string(now) != string(old) {
			return fmt.Errorf("%s was changed meanwhile: nothing was written, run it again", path)
		}
		if err := os.Rename(f.Name(), path); err != nil {
			return err
		}
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// keepOwner gives the new file the owner and group of the old one: the daemon may read
// the file through its group.
func keepOwner(f *os.File, info fs.FileInfo) error {
	was, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	now, err := f.Stat()
	if err != nil {
		return err
	}
	if is, ok := now.Sys().(*syscall.Stat_t); ok && is.Uid == was.Uid && is.Gid == was.Gid {
		return nil
	}
	if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil {
		return fmt.Errorf("the file belongs to user %d and group %d, and would not any more: %w", was.Uid, was.Gid, err)
	}
	return nil
}

// OnlyComments reports whether a file has no settings, as the file of a package.
func OnlyComments(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return false
		}
	}
	return true
}

// CurrentUser is the name of the calling user; "" when it has none.
func CurrentUser() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
