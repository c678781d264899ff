//go:build linux

package filereader

import (
	"errors"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/test/hostile/fusetest"
)

func TestMain(m *testing.M) {
	if IsChild(os.Args) {
		os.Exit(Serve())
	}
	if fusetest.IsPeer(os.Args) {
		os.Exit(fusetest.Peer())
	}
	goleak.VerifyTestMain(m)
}

// underTest is a Reader with its child, and the log of both.
type underTest struct {
	*Reader
	t      *testing.T
	logs   *observer.ObservedLogs
	warned chan struct{} // a line of the level warn was logged
}

func newReader(t *testing.T) *underTest {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	warned := make(chan struct{}, 1000)
	r := &underTest{New("/proc/self/exe", zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
		if e.Level == zap.WarnLevel {
			warned <- struct{}{}
		}
		return nil
	}))), t, logs, warned}
	t.Cleanup(r.Close)
	return r
}

// handed is a message of n bytes in a socket, with descriptors.
func (r *underTest) handed(n int, fds ...int) Request {
	r.t.Helper()
	ours, theirs := streamPair(r.t)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if _, _, err := theirs.WriteMsgUnix(make([]byte, n), oob, nil); err != nil {
		r.t.Fatal(err)
	}
	return Request{Conn: ours, Message: n, UID: 1000, Idle: 5 * time.Second, Announce: func(string) error { return nil }}
}

func streamPair(t *testing.T) (ours, theirs *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		conns[i] = c.(*net.UnixConn)
		t.Cleanup(func() { _ = c.Close() })
	}
	return conns[0], conns[1]
}

// openAt hands over fd, size bytes of it from offset on.
func (r *underTest) openAt(fd int, offset, size uint64) (*File, error) {
	r.t.Helper()
	q := r.handed(9, fd)
	q.Offset, q.Size = offset, size
	f, taken, err := r.Open(r.t.Context(), q)
	if !taken {
		r.t.Errorf("the message is still in the socket: %v", err)
	}
	return f, err
}

// localFile is a file on a file system that the child reads; without one the test is skipped.
func localFile(t *testing.T, data []byte) (path string, f *os.File) {
	t.Helper()
	for _, dir := range []string{t.TempDir(), "/var/tmp", "."} {
		f, err := os.CreateTemp(dir, "filereader")
		if err != nil {
			continue
		}
		t.Cleanup(func() { _, _ = f.Close(), os.Remove(f.Name()) })
		if inspect(int(f.Fd())) != nil {
			continue
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
		path, err := filepath.Abs(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return path, f
	}
	t.Skip("no directory here is on ext4, XFS, Btrfs, F2FS, ZFS or bcachefs")
	return "", nil
}

// whole reads a body to its end, and verifies it.
func whole(f *File) ([]byte, error) {
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return data, f.Verify(int64(len(data)), crcOf(data))
}

func crcOf(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

func wantReason(t *testing.T, err error, want reason.Reason) {
	t.Helper()
	var e *reason.Error
	if !errors.As(err, &e) || e.Reason != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
