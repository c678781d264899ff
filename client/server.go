package client

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/reason"
)

// othersMayWrite are the permission bits with which other users can replace the files of
// a directory.
const othersMayWrite = 0o022

// userOf returns the number of a user, which may be given by name.
func userOf(name string) (uint32, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("client: the daemon's user: %w", err)
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("client: the daemon's user %s has the number %q: %w", name, u.Uid, err)
	}
	return uint32(n), nil
}

// checkServer returns an error unless the process that listens on the socket runs as the
// daemon's user. Another user that can write to the directory of the socket could put one
// of its own there, and read every upload.
//
// With a user from WithDaemonUser, the process must run as that user. Otherwise it runs as
// this user, as the owner of the directory, or as root (systemd listens for the daemon),
// and other users cannot replace the socket.
func (d *dialer) checkServer(conn net.Conn) *Error {
	uid, known, err := serverUser(conn)
	switch {
	case err != nil:
		return d.untrusted(fmt.Sprintf("the kernel does not tell its user: %v", err))
	case !known, d.daemon == nil && uid == uint32(os.Geteuid()):
		return nil
	case d.daemon != nil && uid == *d.daemon:
		return nil
	case d.daemon != nil:
		return d.untrusted(fmt.Sprintf("it runs as %s, and the daemon's user is %s", userName(uid), userName(*d.daemon)))
	}
	owner, why := directoryOwner(d.path)
	switch {
	case why != "":
		return d.untrusted(why + ", so that other users can replace the socket")
	case uid != owner && uid != 0:
		return d.untrusted(fmt.Sprintf("it runs as %s, and the directory of the socket belongs to %s", userName(uid), userName(owner)))
	}
	return nil
}

func (d *dialer) untrusted(why string) *Error {
	return &Error{
		Code: codes.PermissionDenied, Reason: string(reason.SocketUntrusted),
		Message: fmt.Sprintf("the process that listens on %s may not be the daemon: %s; nothing was sent. If it is the daemon, name its user: "+
			"BROKERD_DAEMON_USER, or --daemon-user of brokerctl", d.path, why),
	}
}

func userName(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return fmt.Sprintf("user %s (%s)", u.Username, number)
	}
	return "user " + number
}

// directoryOwner returns the owner of the directory that holds the socket. why is not
// empty when another user could replace the socket, or a directory above it.
func directoryOwner(path string) (owner uint32, why string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, err.Error()
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return 0, err.Error()
	}
	info, err := os.Stat(filepath.Dir(target))
	if err != nil {
		return 0, err.Error()
	}
	owner = ownerOf(info)
	if why := replaceable(target, owner); why != "" || target == path {
		return owner, why
	}
	return owner, replaceable(path, owner)
}

// replaceable says which directory above path lets users replace an entry, other than
// root, this user and owner. A sticky bit protects the directories inside a directory, but
// says nothing about the socket: the owner of the directory is not its owner then.
func replaceable(path string, owner uint32) string {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err.Error()
		}
		sticky := info.Mode()&fs.ModeSticky != 0 && dir != filepath.Dir(path)
		switch uid := ownerOf(info); {
		case uid != 0 && uid != owner && uid != uint32(os.Geteuid()):
			return fmt.Sprintf("the directory %s belongs to %s", dir, userName(uid))
		case info.Mode()&othersMayWrite != 0 && !sticky:
			return fmt.Sprintf("the directory %s has mode %#o", dir, info.Mode().Perm())
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

func ownerOf(info fs.FileInfo) uint32 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid
	}
	return 1<<32 - 1 // no user
}
