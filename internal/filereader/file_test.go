//go:build linux

package filereader

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/brokerd/brokerd/internal/reason"
)

// A handed-over file that is rewritten while it is read is no object. One that only
// grows, or that is renamed or removed, is.
func TestAHandedOverFileThatChanges(t *testing.T) {
	t.Run("after the child read it", func(t *testing.T) { testChanges(t, 300<<10, true) })
	// More than the pipe holds.
	t.Run("while the child reads it", func(t *testing.T) { testChanges(t, 3<<20, false) })
}

func testChanges(t *testing.T, size int, awaitChild bool) {
	old, other := bytes.Repeat([]byte("A"), size), bytes.Repeat([]byte("B"), size)
	r := newReader(t)
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
		"grows":                       {func(path string) error { return writeAt(path, int64(size), other) }, ""},
		"renamed":                     {func(path string) error { return os.Rename(path, path+".1") }, ""},
		"removed":                     {os.Remove, ""},
		"shrinks":                     {func(path string) error { return os.Truncate(path, 9) }, reason.SizeMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			path, opened := localFile(t, old)
			t.Cleanup(func() { _ = os.Remove(path + ".1") })
			body, err := r.openAt(int(opened.Fd()), 0, uint64(size))
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			half := make([]byte, size/2)
			if _, err := io.ReadFull(body, half); err != nil {
				t.Fatal(err)
			}
			if awaitChild {
				if err := body.readOut(); err != nil {
					t.Fatal(err)
				}
			}
			if err := tc.change(path); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(body)
			if err == nil {
				got := append(half, rest...)
				err = body.Verify(int64(len(got)), crcOf(got))
			}
			var e *reason.Error
			switch {
			case tc.reason == "" && err != nil:
				t.Errorf("got %v, want success", err)
			case !awaitChild && name == "truncated and written again" && errors.As(err, &e) && e.Reason == reason.SizeMismatch:
				// The child has read between the two.
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
