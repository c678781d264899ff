package spool_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/spool"
)

// The kernel's own faults, where the model file system has only their names.

// mounted is a file system of its own, of so many bytes.
func mounted(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// readOnly makes directories read-only, for root as well, until it is undone.
func readOnly(t *testing.T, dirs ...string) (undo func()) {
	t.Helper()
	undo = sync.OnceFunc(func() {
		for _, dir := range dirs {
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}
	})
	for _, dir := range dirs {
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("none", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(undo)
	return undo
}

func offered(t *testing.T, s *spool.Spool, n, size int) error {
	t.Helper()
	_, _, err := s.Accept(t.Context(), headerOf(n), unstated{bytes.NewReader(bytesOf(n, size))})
	return err
}

func arrived(t *testing.T, s *spool.Spool, st *store, n, size int) {
	t.Helper()
	if got, err := s.Wait(t.Context(), idOf(n)); err != nil || got.State != spool.Delivered {
		t.Fatalf("object %d: %+v, %v", n, got, err)
	}
	if data, _ := st.object(idOf(n)); !bytes.Equal(data, bytesOf(n, size)) {
		t.Errorf("object %d arrived with other bytes", n)
	}
}

// A disk without a byte to spare refuses what is new, delivers what it has, and
// takes again what then fits.
func TestADiskThatIsFullToTheLastByte(t *testing.T) {
	dir := mounted(t, "2m")
	st := newStore()
	o := optionsOf(t, st)
	o.Dir = filepath.Join(dir, "spool")
	s := open(t, o)
	const size = 300_000
	taken := 0
	var err error
	for ; err == nil; taken++ {
		err = offered(t, s, taken+1, size)
	}
	taken--
	var full *spool.FullError
	if !errors.As(err, &full) || full.Which != spool.QuotaDisk || full.RetryAfter <= 0 || !errors.Is(err, syscall.ENOSPC) || taken < 3 {
		t.Fatalf("%d objects, then %v", taken, err)
	}
	// What is left goes to somebody else: not even a receipt fits.
	rest, err := os.Create(filepath.Join(dir, "somebody's"))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := rest.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := rest.Close(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, o.Dir); len(got) != taken {
		t.Errorf("%d objects were accepted, there are %v", taken, got)
	}
	running(t, s)
	for n := 1; n <= taken; n++ {
		arrived(t, s, st, n, size)
	}
	if err := offered(t, s, taken+1, size); err != nil {
		t.Errorf("there is room again: %v", err)
	}
	arrived(t, s, st, taken+1, size)
	if got := names(t, o.Dir); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

// A disk that is read-only from one moment to the next, as the kernel makes it
// after an error of the device.
func TestADiskThatBecomesReadOnly(t *testing.T) {
	dir := mounted(t, "16m")
	st := newStore()
	o := optionsOf(t, st)
	o.Dir = filepath.Join(dir, "spool")
	s := open(t, o)
	for n := 1; n <= 3; n++ {
		accept(t, s, headerOf(n), bytesOf(n, 100_000))
	}
	undo := readOnly(t, filepath.Join(o.Dir, "queue"), filepath.Join(o.Dir, "receipts"))
	var failed *spool.IOError
	if err := offered(t, s, 4, 1000); !errors.As(err, &failed) || !errors.Is(err, syscall.EROFS) {
		t.Errorf("got %v", err)
	}
	running(t, s)
	// S3 has them; that they are delivered cannot be noted.
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for noted := 0; noted < 3; {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%d objects say that their receipt cannot be written", noted)
		}
		noted = 0
		for n := 1; n <= 3; n++ {
			if got, ok := s.Status(idOf(n)); ok && got.LastReason == "RECEIPT" && got.State != spool.Delivered {
				noted++
			}
		}
	}
	undo()
	for n := 1; n <= 3; n++ {
		arrived(t, s, st, n, 100_000)
	}
	if got := st.delivered(); len(got) != 3 {
		t.Errorf("delivered again for want of a receipt: %v", got)
	}
	accept(t, s, headerOf(4), bytesOf(4, 1000))
	arrived(t, s, st, 4, 1000)
}

// A process without a descriptor to spare refuses what is new and keeps what it has.
func TestNoDescriptorIsLeft(t *testing.T) {
	st := newStore()
	o := optionsOf(t, st)
	s := open(t, o)
	for n := 1; n <= 3; n++ {
		accept(t, s, headerOf(n), bytesOf(n, 1000))
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	restored := func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Fatal(err)
		}
	}
	defer restored()
	var failed *spool.IOError
	if err := offered(t, s, 4, 1000); !errors.As(err, &failed) || !errors.Is(err, syscall.EMFILE) {
		t.Errorf("got %v", err)
	}
	running(t, s)
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for tried := 0; tried < 3; {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%d objects were tried", tried)
		}
		tried = 0
		for n := 1; n <= 3; n++ {
			if got, ok := s.Status(idOf(n)); ok && got.Attempts > 0 && got.State != spool.Dead {
				tried++
			}
		}
	}
	restored()
	for n := 1; n <= 3; n++ {
		arrived(t, s, st, n, 1000)
	}
	accept(t, s, headerOf(4), bytesOf(4, 1000))
	arrived(t, s, st, 4, 1000)
}

// The kinds of file systems that can be made here are refused by the names that
// the kernel has for them.
func TestAVolatileFileSystemIsRefused(t *testing.T) {
	dir := mounted(t, "1m")
	o := optionsOf(t, newStore())
	o.AllowVolatile = false
	o.Dir = filepath.Join(dir, "spool")
	var unsafe *spool.UnsafeError
	if s, err := spool.Open(o); !errors.As(err, &unsafe) || unsafe.FileSystem != "tmpfs" {
		t.Errorf("tmpfs: %v, %v", s, err)
	}
	lower, upper, work, merged := filepath.Join(dir, "l"), filepath.Join(dir, "u"), filepath.Join(dir, "w"), filepath.Join(dir, "m")
	for _, d := range []string{lower, upper, work, merged} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("overlay", merged, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+work); err != nil {
		t.Skipf("overlayfs cannot be mounted here: %v", err)
	}
	defer func() { _ = unix.Unmount(merged, unix.MNT_DETACH) }()
	o.Dir = filepath.Join(merged, "spool")
	if s, err := spool.Open(o); !errors.As(err, &unsafe) || unsafe.FileSystem != "overlayfs" {
		t.Errorf("overlayfs: %v, %v", s, err)
	}
}
