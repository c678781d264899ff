package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/reason"
)

// maxSocketPath is the largest path of a Unix socket, in bytes.
const maxSocketPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// dialer connects to the socket, and keeps the last error that a retry does not heal:
// gRPC passes on the text of an error only.
type dialer struct {
	path   string
	daemon *uint32 // the user of the daemon; nil: the owner of the socket's directory

	mu    sync.Mutex
	final *Error // of the last connection; nil: it worked, or a retry may help
	last  error
}

// dial connects to the socket.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	var nd net.Dialer
	conn, err := nd.DialContext(ctx, "unix", d.path)
	if err == nil {
		if bad := d.checkServer(conn); bad != nil {
			d.note(bad, bad)
			return nil, errors.Join(bad, conn.Close())
		}
	}
	if final, _ := d.failure(); err != nil || final == nil || !final.refused {
		d.note(d.explain(err), err)
	} // a refusal counts until the daemon has answered otherwise
	return conn, err
}

func (d *dialer) note(final *Error, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.final, d.last = final, err
}

// failure returns the error of the last connection: final when a retry does not help.
func (d *dialer) failure() (final *Error, last error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.final, d.last
}

// grpc connects for gRPC. The connection reports a peer that is no brokerd.
func (d *dialer) grpc(ctx context.Context, _ string) (net.Conn, error) {
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &prefaceConn{Conn: conn, d: d}, nil
}

// explain returns an *Error for failures that no retry heals; nil for the others.
func (d *dialer) explain(err error) *Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return &Error{Code: codes.PermissionDenied, Reason: string(reason.SocketDenied), Message: d.denied()}
	case len(d.path) > maxSocketPath:
		return d.invalid(fmt.Sprintf("its path has %d bytes; a socket's path has at most %d", len(d.path), maxSocketPath))
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EPROTOTYPE), errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.ELOOP):
		return d.invalid("it is not a stream socket: " + errno(err))
	}
	if info, serr := os.Stat(d.path); serr == nil && info.Mode()&fs.ModeSocket == 0 {
		kind := "a file"
		if info.IsDir() {
			kind = "a directory"
		}
		return d.invalid("it is " + kind + ", not a socket")
	}
	return nil
}

func (d *dialer) invalid(why string) *Error {
	return &Error{
		Code:    codes.FailedPrecondition,
		Reason:  string(reason.SocketInvalid),
		Message: fmt.Sprintf("%s is not the socket of a brokerd: %s", d.path, why),
	}
}

// denied names the obstacle and the group that removes it.
func (d *dialer) denied() string {
	path := linked(d.path)
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		if parent, err := os.Stat(filepath.Dir(dir)); err == nil {
			return fmt.Sprintf("permission denied: this user may not enter the directory %s, which holds the socket %s; %s",
				filepath.Dir(dir), path, remedy(parent))
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		parent, perr := os.Stat(filepath.Dir(path))
		if perr != nil {
			return fmt.Sprintf("permission denied: this user may not open the socket %s", path)
		}
		return fmt.Sprintf("permission denied: this user may not enter the directory %s of the socket; %s", filepath.Dir(path), remedy(parent))
	}
	return fmt.Sprintf("permission denied: this user may not open the socket %s (mode %#o); %s", path, info.Mode().Perm(), remedy(info))
}

// linked follows the symbolic links at path as far as this user can read them.
func linked(path string) string {
	for range 40 { // as many as Linux follows
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return path
}

// remedy names the group to join.
func remedy(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "ask the administrator for access"
	}
	group := strconv.FormatUint(uint64(st.Gid), 10)
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	who := "USER"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if st.Gid == 0 || info.Mode().Perm()&0o010 == 0 && info.IsDir() || info.Mode().Perm()&0o020 == 0 && !info.IsDir() {
		return fmt.Sprintf("its group is %q: ask the administrator to set socket.group to a group of user %q", group, who)
	}
	return fmt.Sprintf("its group is %q: add the user to it (sudo usermod -aG %s %s), then log in again", group, group, who)
}

func errno(err error) string {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e.Error()
	}
	return err.Error()
}

// prefaceConn checks that the peer speaks HTTP/2, as every brokerd does.
type prefaceConn struct {
	net.Conn
	d    *dialer
	head []byte // the first bytes; at most 9
	done bool
	left atomic.Bool // a write found that the peer has closed
}

// errNoPreface is noted when a peer accepted the connection and then sent nothing.
var errNoPreface = errors.New("no sign of life after the connection was made")

// Write implements net.Conn.
func (c *prefaceConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		c.left.Store(true)
		if closedByPeer(err) {
			return len(p), nil // the reader hears why, or that the peer is gone
		}
	}
	return n, err
}

// Read implements net.Conn.
func (c *prefaceConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, net.ErrClosed) && c.left.Load() {
		err = io.EOF // gRPC closed the connection because the peer had closed it: the peer is not silent
	}
	if len(c.head) == 0 && n == 0 && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)) {
		c.d.note(nil, errNoPreface)
	}
	if c.done || n == 0 {
		return n, err
	}
	if refusal := refusalIn(p[:n]); refusal != nil && len(c.head) == 0 {
		c.done = true
		c.d.note(refusal, refusal)
		return 0, refusal
	}
	c.head = append(c.head, p[:min(n, 9-len(c.head))]...)
	if !settingsPrefix(c.head) {
		c.done = true
		wrong := c.d.invalid("another program answers on it")
		c.d.note(wrong, wrong)
		return 0, wrong
	}
	if c.done = len(c.head) == 9; c.done {
		c.d.note(nil, nil)
	}
	return n, err
}

// settingsPrefix reports whether b begins like an HTTP/2 SETTINGS frame: a length of 24
// bits that is a multiple of 6, the type 4, flags, and stream 0.
func settingsPrefix(b []byte) bool {
	if len(b) > 3 && (b[3] != 4 || (int(b[0])<<16|int(b[1])<<8|int(b[2]))%6 != 0) {
		return false
	}
	if len(b) > 5 && !bytes.Equal(b[5:], make([]byte, len(b)-5)) {
		return false
	}
	return b[0] == 0
}
