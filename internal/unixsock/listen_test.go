package unixsock

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "brokerd.sock")
}

func TestListenRefusesALiveSocket(t *testing.T) {
	path := socketPath(t)
	first, err := Listen(path, 0o660, -1, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	if _, err := Listen(path, 0o660, -1, zap.NewNop()); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	if conn, err := net.Dial("unix", path); err != nil {
		t.Errorf("the first listener was harmed: %v", err)
	} else {
		_ = conn.Close()
	}
}

func TestListenRefusesAForeignListener(t *testing.T) {
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if _, err := Listen(path, 0o660, -1, zap.NewNop()); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
}

func TestListenTakesOverAStaleSocket(t *testing.T) {
	path := socketPath(t)
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	_ = dead.Close()
	l, err := Listen(path, 0o600, -1, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestListenLeavesOtherFilesAlone(t *testing.T) {
	path := socketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path, 0o660, -1, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "not a socket") {
		t.Errorf("got %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "precious" {
		t.Error("the file was harmed")
	}
}

func TestCloseLeavesASuccessorsSocketAlone(t *testing.T) {
	path := socketPath(t)
	l, err := Listen(path, 0o660, -1, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = successor.Close() }()
	_ = l.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the successor's socket is gone: %v", err)
	}
}

// A cleaner may remove the socket and its lock. Restore brings both back, and open
// connections go on.
func TestRestoreCreatesARemovedSocketAgain(t *testing.T) {
	path := socketPath(t)
	l, err := Listen(path, 0o600, -1, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn, 2)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	if restored, err := l.Restore(); restored || err != nil {
		t.Errorf("an intact socket: got %v, %v", restored, err)
	}
	for _, victim := range []string{path, path + ".lock"} {
		if err := os.Remove(victim); err != nil {
			t.Fatal(err)
		}
	}
	if restored, err := l.Restore(); !restored || err != nil {
		t.Fatalf("got %v, %v", restored, err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = (<-accepted).Close()
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Listen(path, 0o600, -1, zap.NewNop()); !errors.Is(err, ErrInUse) {
		t.Errorf("a second daemon: got %v, want ErrInUse", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if restored, err := l.Restore(); restored || !errors.Is(err, ErrInUse) {
		t.Errorf("another file at the path: got %v, %v", restored, err)
	}
}
