package unixsock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// ErrInUse is returned when another process listens on the socket.
var ErrInUse = errors.New("another process is listening on the socket")

// watchEvery is how often Watch looks for the socket's file.
const watchEvery = 2 * time.Second

// reportEvery limits how often the same problem is logged.
const reportEvery = time.Minute

// Socket is a listener on a Unix socket that this process owns.
type Socket struct {
	path string
	mode fs.FileMode
	gid  int
	log  *zap.Logger

	mu       sync.Mutex // guards the fields below
	l        *net.UnixListener
	lock     *os.File
	self     fs.FileInfo
	closed   bool
	reported map[string]time.Time
}

// Listen creates the socket at path. It replaces a stale socket. It refuses when
// another process answers on the socket, or when path is any other file. The socket
// is bound in a directory that only this user may enter, gets its mode and group there, and
// is then renamed, so that it appears under its name only when it is complete. Listen
// refuses a directory in which other users can replace the socket. A negative gid keeps the
// group of the process. log receives the problems of Accept and Watch.
func Listen(path string, mode fs.FileMode, gid int, log *zap.Logger) (_ *Socket, err error) {
	s := &Socket{path: path, mode: mode, gid: gid, log: log, reported: make(map[string]time.Time)}
	dir, err := openDirectory(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	if s.lock, err = lockSocket(path); err != nil {
		return nil, err
	}
	if err := vacant(path); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	if s.l, s.self, err = s.bind(); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

// bind listens, and publishes the socket under its name.
func (s *Socket) bind() (_ *net.UnixListener, _ fs.FileInfo, err error) {
	dir, err := openDirectory(filepath.Dir(s.path))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = dir.Close() }()
	if dir.shared {
		s.log.Warn("other users may create files in the directory of the socket; their clients refuse the daemon unless they are told its user "+
			"($BROKERD_DAEMON_USER); a directory of the daemon's own is better", zap.String("socket", s.path))
	}
	p, err := dir.private()
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, p.remove()) }()
	const name = "s"
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.pathOf(name), Net: "unix"})
	if err != nil {
		return nil, nil, fmt.Errorf("listening on %s: %w", s.path, err)
	}
	l.SetUnlinkOnClose(false)
	info, err := s.publish(p, name)
	if err != nil {
		_ = unix.Unlinkat(int(p.file.Fd()), name, 0) // it has its final name if it is gone
		return nil, nil, errors.Join(fmt.Errorf("setting up the socket %s: %w", s.path, err), l.Close())
	}
	return l, info, nil
}

func (s *Socket) publish(p *private, name string) (fs.FileInfo, error) {
	if err := p.give(name, s.mode, s.gid); err != nil {
		return nil, err
	}
	info, err := os.Lstat(p.pathOf(name))
	if err != nil {
		return nil, err
	}
	return info, p.publish(name, filepath.Base(s.path))
}

// Accept implements net.Listener. It logs a shortage of file descriptors.
func (s *Socket) Accept() (net.Conn, error) {
	for {
		l := s.listener()
		conn, err := l.Accept()
		switch {
		case err == nil:
			return conn, nil
		case s.listener() != l: // Restore replaced it
			continue
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
			s.report("connections wait: the daemon, or its host, has no file descriptor free; raise LimitNOFILE (ulimit -n)",
				zap.Uint64("limit", DescriptorLimit()), zap.Error(err))
		}
		return nil, err
	}
}

func (s *Socket) listener() *net.UnixListener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.l
}

// report logs a problem, the same at most once a minute.
func (s *Socket) report(problem string, fields ...zap.Field) {
	s.mu.Lock()
	last, known := s.reported[problem]
	if known && time.Since(last) < reportEvery {
		s.mu.Unlock()
		return
	}
	s.reported[problem] = time.Now()
	s.mu.Unlock()
	s.log.Error(problem, append(fields, zap.String("socket", s.path))...)
}

// Watch looks for the socket's file until ctx ends, and creates it again when a cleaner
// removed it: without the file no client can connect. Open connections are not affected.
// It leaves a file of another process alone. It returns nil.
func (s *Socket) Watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		restored, err := s.Restore()
		switch {
		case err != nil:
			s.report("clients cannot connect: the file of the socket is gone, and cannot be created again", zap.Error(err))
		case restored:
			s.log.Error("the file of the socket was removed by another program; brokerd created it again", zap.String("socket", s.path))
		}
	}
}

// Restore creates the socket's file again when it is gone, and reports whether it did.
func (s *Socket) Restore() (restored bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	current, err := os.Lstat(s.path)
	switch {
	case s.closed || err == nil && os.SameFile(current, s.self):
		return false, nil
	case err == nil:
		return false, fmt.Errorf("another file took its place: %w", ErrInUse)
	case !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	lock := s.lock
	if _, err := os.Lstat(s.path + ".lock"); errors.Is(err, fs.ErrNotExist) {
		if lock, err = lockSocket(s.path); err != nil {
			return false, err
		}
	}
	l, self, err := s.bind()
	if err != nil {
		if lock != s.lock {
			_ = lock.Close()
		}
		return false, err
	}
	old, oldLock := s.l, s.lock
	s.l, s.self, s.lock = l, self, lock
	if oldLock != lock {
		_ = oldLock.Close() // of a file that is gone
	}
	_ = old.Close() // Accept goes on with the new one
	return true, nil
}

// Addr returns the socket's path, not the name that it was bound under.
func (s *Socket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

// Close stops listening and removes the socket, unless another file replaced it.
func (s *Socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if current, err := os.Lstat(s.path); err == nil && os.SameFile(current, s.self) {
		_ = os.Remove(s.path)
	}
	err := s.l.Close()
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
	if info, err := lock.Stat(); err != nil || ownerOf(info) != uint32(os.Geteuid()) {
		_ = lock.Close()
		return nil, fmt.Errorf("%s belongs to another user, who can keep the daemon from starting: remove it: %w", lock.Name(), fs.ErrPermission)
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

func ownerOf(info fs.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return noOwner
}

// noOwner is no user.
const noOwner = 1<<32 - 1

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
