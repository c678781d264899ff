package rpc

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/brokerd/brokerd/client"
)

// A log is written to while it is uploaded. The object is the file as it
// was when the upload began, and a file that loses bytes is no object.
func TestFileThatChangesWhileItIsUploaded(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(path string) error
		reason string // empty: stored
	}{
		"grows": {func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.Write(make([]byte, 100<<10))
			return err
		}, ""},
		"shrinks": {func(path string) error { return os.Truncate(path, 300<<10) }, "SIZE_MISMATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			d := serverFor(t)
			path := filepath.Join(t.TempDir(), "app.log")
			if err := os.WriteFile(path, make([]byte, 600<<10), 0o600); err != nil {
				t.Fatal(err)
			}
			changed := false
			res, err := d.UploadFile(t.Context(), "logs", "app.log", path, client.WithStream(), client.WithProgress(func(int64) {
				if !changed {
					changed = true
					if err := tc.change(path); err != nil {
						t.Error(err)
					}
				}
			}))
			if tc.reason != "" {
				_ = wantFault(t, err, tc.reason)
				return
			}
			if err != nil || res.Size != 600<<10 {
				t.Errorf("%v, %+v", err, res)
			}
		})
	}
}
