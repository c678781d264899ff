//go:build linux

package intake

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/brokerd/brokerd/internal/reason"
)

// A handed-over file that is rewritten while it is read is no object. One that only
// grows, or that is renamed or removed, is.
func TestAHandedOverFileThatChanges(t *testing.T) {
	const size = 300 << 10
	old, other := bytes.Repeat([]byte("A"), size), bytes.Repeat([]byte("B"), size)
	for name, tc := range map[string]struct {
		change func(path string) error
		reason reason.Reason // empty: none
	}{
		"unchanged":          {func(string) error { return nil }, ""},
		"rewritten in place": {func(path string) error { return writeAt(path, 0, other) }, reason.FileChanged},
		"rewritten, and its time set back": {func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(writeAt(path, 0, other), os.Chtimes(path, info.ModTime(), info.ModTime()))
		}, reason.FileChanged},
		"truncated and written again": {func(path string) error { return os.WriteFile(path, other, 0o600) }, reason.FileChanged},
		"touched":                     {func(path string) error { return writeAt(path, 0, old) }, ""},
		"grows":                       {func(path string) error { return writeAt(path, size, other) }, ""},
		"renamed":                     {func(path string) error { return os.Rename(path, path+".1") }, ""},
		"removed":                     {os.Remove, ""},
		"shrinks":                     {func(path string) error { return os.Truncate(path, 9) }, reason.SizeMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, old, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			body, err := NewOwnFile(t.Context(), f, size)
			if err != nil {
				t.Fatal(err)
			}
			half := make([]byte, size/2)
			if _, err := io.ReadFull(body, half); err != nil {
				t.Fatal(err)
			}
			if err := tc.change(path); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(body)
			if err == nil {
				crc, n, serr := sum(io.MultiReader(bytes.NewReader(half), bytes.NewReader(rest)), size+1)
				if err = body.Verify(n, crc); serr != nil {
					t.Fatal(serr)
				}
			}
			var e *reason.Error
			switch {
			case tc.reason == "" && err != nil:
				t.Errorf("got %v, want success", err)
			case tc.reason != "" && (!errors.As(err, &e) || e.Reason != tc.reason || e.Code().String() != "Aborted"):
				t.Errorf("got %v, want %s with the code ABORTED", err, tc.reason)
			}
		})
	}
}

func writeAt(path string, at int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, at)
	return errors.Join(err, f.Close())
}
