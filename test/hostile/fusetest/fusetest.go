//go:build linux

package fusetest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Op is a kind of request of the kernel to a file system.
type Op uint32

// The requests that a test may leave unanswered.
const (
	Getattr Op = 3
	Read    Op = 15
	Statfs  Op = 17
	Flush   Op = 25 // a descriptor is closed
)

// Content is what the file has in it.
const Content = "bytes of a hostile user"

// patience bounds each wait for the hostile process.
const patience = 20 * time.Second

// FS is the file system, seen from the test.
type FS struct {
	conn   *net.UnixConn
	events map[string]int
}

// Mount starts the hostile process: TestMain calls IsPeer and Peer. It withholds the
// answers to the requests in blocked; with overlay its file lies below an overlay. The
// test is skipped where that is not possible.
func Mount(t *testing.T, overlay bool, blocked ...Op) *FS {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting FUSE needs root")
	}
	base, err := os.MkdirTemp("", "fusetest")
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{}
	for _, name := range []string{"fuse", "overlay", "empty"} {
		dirs[name] = filepath.Join(base, name)
		if err := os.Mkdir(dirs[name], 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var ops []string
	for _, op := range blocked {
		ops = append(ops, strconv.Itoa(int(op)))
	}
	above := ""
	if overlay {
		above = dirs["overlay"]
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	conn, err := net.FileConn(ours)
	if err := errors.Join(err, ours.Close()); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args, cmd.ExtraFiles = []string{peerName}, []*os.File{theirs}
	cmd.Env = []string{settings + "=" + strings.Join([]string{strings.Join(ops, ","), dirs["fuse"], above}, ";")}
	if err := errors.Join(cmd.Start(), theirs.Close()); err != nil {
		t.Fatal(err)
	}
	f := &FS{conn: conn.(*net.UnixConn), events: make(map[string]int)}
	t.Cleanup(func() {
		f.Abort()
		_ = cmd.Wait()
		_ = unix.Unmount(dirs["overlay"], unix.MNT_DETACH)
		_ = unix.Unmount(dirs["fuse"], unix.MNT_DETACH)
		_ = os.RemoveAll(base)
	})
	if err := f.await("mounted"); err != nil {
		t.Skip("no FUSE here: ", err)
	}
	return f
}

// Abort ends the hostile process, and every request that was not answered fails.
func (f *FS) Abort() { _ = f.conn.Close() }

// HandOver lets the hostile process send message with its file over conn.
func (f *FS) HandOver(conn *net.UnixConn, message []byte) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	if err := raw.Control(func(fd uintptr) {
		_, _, serr = f.conn.WriteMsgUnix(message, unix.UnixRights(int(fd)), nil)
	}); err != nil || serr != nil {
		return errors.Join(err, serr)
	}
	return f.await("sent")
}

// Await waits until a request of another process was left unanswered.
func (f *FS) Await(op Op) error { return f.await("withheld " + strconv.Itoa(int(op))) }

// await takes events until one is want.
func (f *FS) await(want string) error {
	if err := f.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	buf := make([]byte, 256)
	for f.events[want] == 0 {
		n, err := f.conn.Read(buf)
		if err != nil || n == 0 {
			return fmt.Errorf("waiting for %q of the hostile process: %w", want, errors.Join(err, errors.New("it ended")))
		}
		event := string(buf[:n])
		if strings.HasPrefix(event, "skip: ") || strings.HasPrefix(event, "error: ") {
			return errors.New(event)
		}
		f.events[event]++
	}
	f.events[want]--
	return nil
}
