package unixsock

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"
)

// ErrInUse is returned when another process listens on the socket.
var ErrInUse = errors.New("another process is listening on the socket")

// Socket is a listener on a Unix socket that this process owns.
type Socket struct {
	*net.UnixListener
	path string
	lock *os.File
	self fs.FileInfo
}

// Listen creates the socket at path. It replaces a stale socket. It refuses when
// another process answers on the socket, or when path is any other file. The socket
// is bound under another name, gets its mode and group, and is then renamed, so that
// it appears under its name only when it is complete. A negative gid keeps the
// group of the process.
func Listen(path string, mode fs.FileMode, gid int) (_ *Socket, err error) {
	lock, err := lockSocket(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = lock.Close()
		}
	}()
	if err := vacant(path); err != nil {
		return nil, err
	}
	temp := filepath.Join(filepath.Dir(path), "."+ulid.Make().String()[18:])
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	s := &Socket{UnixListener: l, path: path, lock: lock}
	if err := s.publish(temp, mode, gid); err != nil {
		return nil, errors.Join(fmt.Errorf("setting up the socket %s: %w", path, err), l.Close(), os.Remove(temp))
	}
	return s, nil
}

func (s *Socket) publish(temp string, mode fs.FileMode, gid int) error {
	// A sandboxed daemon may lack chown, and does not need it for its own group.
	if gid >= 0 && gid != os.Getegid() {
		if err := os.Chown(temp, -1, gid); err != nil {
			return err
		}
	}
	if err := os.Chmod(temp, mode); err != nil {
		return err
	}
	info, err := os.Lstat(temp)
	if err != nil {
		return err
	}
	s.self = info
	return os.Rename(temp, s.path)
}

// Addr returns the socket's path, not the name that it was bound under.
func (s *Socket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

// Close stops listening and removes the socket, unless another file replaced it.
func (s *Socket) Close() error {
	if current, err := os.Lstat(s.path); err == nil && os.SameFile(current, s.self) {
		_ = os.Remove(s.path)
	}
	err := s.UnixListener.Close()
	_ = s.lock.Close() // closing releases the lock; the empty file stays
	return err
}

// lockSocket keeps two daemons that start at the same moment from both finding the
// socket stale.
func lockSocket(path string) (*os.File, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the socket: %w; does the directory exist, and may this user write to it?", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w: stop the other brokerd first, or give this one its own socket.path", path, ErrInUse)
		}
		return nil, fmt.Errorf("locking the socket %s: %w", path, err)
	}
	return lock, nil
}

func vacant(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the socket's file information: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is not a socket: remove it, or change socket.path", path)
	}
	conn, err := net.DialTimeout("unix", path, 2*time.Second)
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("%s: %w: stop it first, or change socket.path", path, ErrInUse)
	}
	if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil // stale: the rename replaces it
	}
	return fmt.Errorf("%s exists, and connecting to it failed, so that it may be in use: %w", path, err)
}
