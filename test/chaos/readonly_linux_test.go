package chaos

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// readOnly makes a directory one in which nothing can be made or changed, until
// undo is called. Root writes wherever permissions forbid it, but not there.
func readOnly(t *testing.T, dir string) (undo func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		return chmodded(t, dir)
	}
	if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("root writes wherever it likes, and nothing can be mounted here: %v", err)
	}
	mounted := true
	undo = func() {
		if mounted {
			mounted = false
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(undo)
	if err := unix.Mount("none", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	return undo
}
