//go:build !linux

package chaos

import (
	"os"
	"testing"
)

func readOnly(t *testing.T, dir string) (undo func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("root writes wherever it likes")
	}
	return chmodded(t, dir)
}
