package vend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openToken opens a token file for peer. Other users may own its directory, so that:
//
//   - Opening never waits, not even for a named pipe (O_NONBLOCK).
//   - A symbolic link on the way counts only if root or this process's user owns it, as
//     in a volume of Kubernetes (token -> ..data/token). A link of anybody else could
//     lead to the token of another user.
//   - The file has one name: a hard link could be another user's token too.
//   - Root, this process's user, or the peer owns the file.
func openToken(path string, peer uint32) (*os.File, fs.FileInfo, error) {
	f, err := openWithoutForeignLinks(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = fitFile(info, peer)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// fitFile returns an error unless the file may hold a token of peer.
func fitFile(info fs.FileInfo, peer uint32) error {
	mode := info.Mode()
	switch {
	case !mode.IsRegular():
		return errors.New("it is not a regular file")
	case mode.Perm()&0o007 != 0:
		return fmt.Errorf("its mode is %#o: every user of this machine can use the token; run chmod o= on it", mode.Perm())
	case mode.Perm()&0o020 != 0:
		return fmt.Errorf("its mode is %#o: its group can replace the token; run chmod g-w on it", mode.Perm())
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return errors.New("its owner is not known")
	case st.Nlink != 1:
		return errors.New("it has a second name (a hard link), and may be the token of another user; write a new file")
	case !trusted(st.Uid) && st.Uid != peer:
		return fmt.Errorf("its owner is uid %d: it must be root, the daemon's user, or the user that the token stands for (uid %d)", st.Uid, peer)
	}
	return nil
}

// trusted reports whether a user may link to every token: it could read them all.
func trusted(uid uint32) bool { return uid == 0 || uid == uint32(os.Geteuid()) }
