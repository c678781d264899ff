package watch

import (
	"os"
	"strings"
	"testing"

	"github.com/brokerd/brokerd/internal/config"
)

func TestAccessIsCheckedWithoutTouchingAFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a.gz", []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	elsewhere, err := os.MkdirTemp("/dev/shm", "watch")
	if err != nil {
		t.Skip("there is no second file system: ", err)
	}
	defer os.RemoveAll(elsewhere) //nolint:errcheck // a test
	if err := os.Symlink(dir, dir+"/link"); err != nil {
		t.Fatal(err)
	}
	me := func(config.Peer) (Owner, error) { return Owner{UID: uint32(os.Geteuid())}, nil }
	for name, tc := range map[string]struct {
		watch string
		want  string
		final bool
	}{
		"all is well":              {`{name: app, paths: ["DIR/*.gz"], destination: logs, after: move, move_to: "DIR/.sent"}`, "", false},
		"the directory is missing": {`{name: app, paths: ["DIR/none/*.gz"], destination: logs}`, "none: the directory does not exist", false},
		"move_to is on another disk": {`{name: app, paths: ["DIR/*.gz"], destination: logs, after: move, move_to: "` + elsewhere + `"}`,
			"another file system", true},
		"failed_to is on another one": {`{name: app, paths: ["DIR/*.gz"], destination: logs, failed_to: "` + elsewhere + `/new"}`,
			"another file system", true},
		"a link leads to move_to": {`{name: app, paths: ["DIR/*.gz"], destination: logs, after: move, move_to: "DIR/link/.sent"}`,
			"symbolic link", true},
	} {
		t.Run(name, func(t *testing.T) {
			problems, err := CheckAccess(t.Context(), parse(t, dir, "  - "+tc.watch+"\n"), me)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == "" && len(problems) > 0 || tc.want != "" && len(problems) != 1 {
				t.Fatalf("got %v", problems)
			}
			if tc.want != "" && (!strings.Contains(problems[0].String(), tc.want) || problems[0].Final != tc.final) {
				t.Errorf("got %v, final: %v; want %q, %v", problems[0], problems[0].Final, tc.want, tc.final)
			}
		})
	}
	if data, err := os.ReadFile(dir + "/a.gz"); err != nil || string(data) != "one" {
		t.Errorf("the file is %q, %v", data, err)
	}
}
