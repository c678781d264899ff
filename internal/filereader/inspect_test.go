//go:build linux

package filereader

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/reason"
)

// memory returns a memory file with these seals.
func memory(t *testing.T, data string, seals int) int {
	t.Helper()
	fd, err := unix.MemfdCreate("m", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if _, err := unix.Write(fd, []byte(data)); err != nil {
		t.Fatal(err)
	}
	if seals != 0 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
			t.Fatal(err)
		}
	}
	return fd
}

func opened(t *testing.T, path string, flags int) int {
	t.Helper()
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip(path, err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

func TestOnlyFilesOfThisHostAreRead(t *testing.T) {
	pipe := make([]int, 2)
	if err := unix.Pipe2(pipe, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]) })
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(socket) })
	fifo := t.TempDir() + "/fifo"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	for name, fd := range map[string]func(*testing.T) int{
		"a pipe":                     func(*testing.T) int { return pipe[0] },
		"a named pipe":               func(t *testing.T) int { return opened(t, fifo, unix.O_RDONLY|unix.O_NONBLOCK) },
		"a socket":                   func(*testing.T) int { return socket },
		"a character device":         func(t *testing.T) int { return opened(t, "/dev/zero", unix.O_RDONLY) },
		"a directory":                func(t *testing.T) int { return opened(t, "/", unix.O_RDONLY) },
		"a file of proc":             func(t *testing.T) int { return opened(t, "/proc/self/status", unix.O_RDONLY) },
		"memory of a process":        func(t *testing.T) int { return opened(t, "/proc/self/mem", unix.O_RDONLY) },
		"a file of sysfs":            func(t *testing.T) int { return opened(t, "/sys/kernel/mm/transparent_hugepage/enabled", unix.O_RDONLY) },
		"a path only":                func(t *testing.T) int { p, _ := localFile(t, nil); return opened(t, p, unix.O_PATH) },
		"for writing only":           func(t *testing.T) int { p, _ := localFile(t, nil); return opened(t, p, unix.O_WRONLY) },
		"direct":                     func(t *testing.T) int { p, _ := localFile(t, nil); return opened(t, p, unix.O_RDONLY|unix.O_DIRECT) },
		"memory without a seal":      func(t *testing.T) int { return memory(t, "bytes", 0) },
		"memory that may shrink":     func(t *testing.T) int { return memory(t, "bytes", unix.F_SEAL_WRITE) },
		"memory that may be written": func(t *testing.T) int { return memory(t, "bytes", unix.F_SEAL_SHRINK|unix.F_SEAL_GROW) },
		"a file of tmpfs": func(t *testing.T) int {
			f, err := os.CreateTemp("/dev/shm", "filereader")
			if err != nil {
				t.Skip(err)
			}
			t.Cleanup(func() { _, _ = f.Close(), os.Remove(f.Name()) })
			return int(f.Fd())
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.openAt(fd(t), 0, 0)
			wantReason(t, err, reason.DescriptorRefused)
		})
	}
}

func TestWhatIsRead(t *testing.T) {
	r := newReader(t)
	data := bytes.Repeat([]byte("0123456789abcdef"), 300_000)
	_, f := localFile(t, data)
	for name, tc := range map[string]struct {
		fd           int
		offset, size uint64
		want         []byte
	}{
		"a whole file":        {int(f.Fd()), 0, uint64(len(data)), data},
		"its middle":          {int(f.Fd()), 17, 100_001, data[17 : 17+100_001]},
		"no byte of it":       {int(f.Fd()), 5, 0, nil},
		"sealed memory":       {memory(t, "from memory", unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK), 5, 6, []byte("memory")},
		"all seals on memory": {memory(t, "m", unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL), 0, 1, []byte("m")},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := r.openAt(tc.fd, tc.offset, tc.size)
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			if got, err := whole(body); err != nil || !bytes.Equal(got, tc.want) {
				t.Errorf("got %d bytes, %v; want %d", len(got), err, len(tc.want))
			}
		})
	}
	if at, err := f.Seek(0, 1); err != nil || at != int64(len(data)) {
		t.Errorf("the peer's offset was moved to %d, %v", at, err)
	}
}
