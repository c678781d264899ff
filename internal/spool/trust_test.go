//go:build unix

package spool_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/spool"
)

// A directory that another user owns, or could replace, is no spool.
func TestTheSpoolIsOfOneUser(t *testing.T) {
	const stranger = 7002
	for name, tc := range map[string]struct {
		needsRoot bool
		change    func(parent, dir string) error
		says      string // empty: it is opened
	}{
		"its own directory":                 {false, func(_, dir string) error { return os.Mkdir(dir, 0o700) }, ""},
		"below a directory with sticky bit": {false, func(parent, _ string) error { return os.Chmod(parent, 0o777|os.ModeSticky) }, ""},
		"below a directory of all users":    {false, func(parent, _ string) error { return os.Chmod(parent, 0o777) }, "all users may write to"},
		"made by another user": {true, func(_, dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Chown(dir, stranger, stranger)
		}, "belongs to uid 7002"},
		"below another user's directory": {true, func(parent, _ string) error { return os.Chown(parent, stranger, stranger) },
			"belongs to uid 7002"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.needsRoot && os.Geteuid() != 0 {
				t.Skip("giving a directory away needs root")
			}
			o := optionsOf(t, newStore())
			parent := filepath.Join(t.TempDir(), "parent")
			if err := os.Mkdir(parent, 0o755); err != nil {
				t.Fatal(err)
			}
			o.Dir = filepath.Join(parent, "spool")
			if err := tc.change(parent, o.Dir); err != nil {
				t.Fatal(err)
			}
			s, err := spool.Open(o)
			if tc.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
			if err := spool.CheckParents(o.Dir); (err != nil) != (tc.says != "" && name != "made by another user") {
				t.Errorf("before the start: %v", err)
			}
		})
	}
}
