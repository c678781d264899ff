package unixsock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"
)

// othersMayWrite are the permission bits with which other users can replace the files of
// a directory.
const othersMayWrite = 0o022

// directory is the directory of a socket, open. Its name may come to mean another
// directory; the descriptor does not.
type directory struct {
	path string
	file *os.File
	// shared: other users may create files in it, but cannot replace those of this process.
	shared bool
}

// openDirectory opens the directory of a socket, and creates it with mode 0755 if only the
// last element is missing. It refuses a directory in which other users can replace the
// socket: they would read the uploads of those who connect.
func openDirectory(path string) (*directory, error) {
	created, err := false, error(nil)
	if _, serr := os.Stat(path); errors.Is(serr, fs.ErrNotExist) {
		if err = os.Mkdir(path, 0o755); err != nil {
			return nil, fmt.Errorf("creating the directory of the socket: %w", err)
		}
		created = true
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the directory of the socket: %w; may this user enter it?", err)
	}
	d := &directory{path: path, file: f}
	if err := d.check(created); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return d, nil
}

func (d *directory) check(created bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(d.file.Fd()), &st); err != nil {
		return fmt.Errorf("reading the owner of %s: %w", d.path, err)
	}
	euid := uint32(os.Geteuid())
	if created && st.Uid == euid {
		// The umask does not matter: clients of other users must be able to enter.
		if err := d.file.Chmod(0o755); err != nil {
			return fmt.Errorf("setting the mode of %s: %w", d.path, err)
		}
		st.Mode = st.Mode&^0o777 | 0o755
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s is not a directory: correct socket.path", d.path)
	case st.Uid != euid && st.Uid != 0:
		return fmt.Errorf("%s belongs to user %d, who can replace the socket and read uploads: give the directory to user %d or to root, %s",
			d.path, st.Uid, euid, d.subdirectory())
	case st.Mode&othersMayWrite == 0:
	case st.Mode&unix.S_ISVTX != 0:
		d.shared = true
	default:
		return fmt.Errorf("%s has mode %#o, so that other users can replace the socket and read uploads: "+
			"take their right to write (chmod go-w), %s", d.path, st.Mode&0o7777, d.subdirectory())
	}
	return nil
}

// subdirectory is the remedy where the directory cannot be changed, as in a pod's volume.
func (d *directory) subdirectory() string {
	return fmt.Sprintf("or set socket.path to a directory of the daemon's own below it, such as %s; the daemon creates it, "+
		"and clients must be told the daemon's user ($BROKERD_DAEMON_USER)", filepath.Join(d.path, "brokerd", "brokerd.sock"))
}

func (d *directory) fd() int { return int(d.file.Fd()) }

// Close closes the descriptor.
func (d *directory) Close() error { return d.file.Close() }

// private is a directory that only this user may enter, inside a directory of a socket.
type private struct {
	parent *directory
	name   string
	file   *os.File
}

// private creates a directory in d that only this user may enter.
func (d *directory) private() (*private, error) {
	p := &private{parent: d, name: "." + ulid.Make().String()[18:]}
	if err := unix.Mkdirat(d.fd(), p.name, 0o700); err != nil {
		return nil, fmt.Errorf("creating a private directory in %s: %w; may this user write to it?", d.path, err)
	}
	fd, err := unix.Openat(d.fd(), p.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the private directory: %w", err), p.remove())
	}
	p.file = os.NewFile(uintptr(fd), p.name)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Uid != uint32(os.Geteuid()) || st.Mode&0o077 != 0 {
		return nil, errors.Join(fmt.Errorf("the private directory in %s was replaced by another one", d.path), err, p.file.Close())
	}
	return p, nil
}

// remove deletes the empty directory.
func (p *private) remove() error {
	var err error
	if p.file != nil {
		err = p.file.Close()
	}
	return errors.Join(err, unix.Unlinkat(p.parent.fd(), p.name, unix.AT_REMOVEDIR))
}

// give sets the group, unless it is negative, and the mode of a file in p. No other user
// can put a link in its place.
func (p *private) give(name string, mode fs.FileMode, gid int) error {
	fd := int(p.file.Fd())
	// A sandboxed daemon may lack chown, and does not need it for its own group.
	if gid >= 0 && gid != os.Getegid() {
		if err := unix.Fchownat(fd, name, -1, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return fmt.Errorf("setting its group: %w", err)
		}
	}
	if err := unix.Fchmodat(fd, name, uint32(mode.Perm()), 0); err != nil {
		return fmt.Errorf("setting its mode: %w", err)
	}
	return nil
}

// publish moves a file of p to its name in the parent.
func (p *private) publish(name, to string) error {
	return unix.Renameat(int(p.file.Fd()), name, p.parent.fd(), to)
}
