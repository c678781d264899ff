package e2e

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/testbed"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// rotations are the modes of logrotate, with the glob of the finished files.
var rotations = map[string]struct{ options, glob string }{
	"create and compress":           {"create\ncompress", "*.gz"},
	"create and delaycompress":      {"create\ncompress\ndelaycompress", "*.gz"},
	"copytruncate":                  {"copytruncate\ncompress", "*.gz"},
	"copytruncate without compress": {"copytruncate", "app.log.[0-9]*"},
	"dateext":                       {"create\ncompress\ndateext\ndateformat -%Y%m%d-%s", "app.log-*.gz"},
	"nocreate":                      {"nocreate", "app.log.[0-9]*"},
	"olddir":                        {"create\ncompress\nolddir old\ncreateolddir 755", "old/*.gz"},
}

// Debian's logrotate rotates a log whose writer goes on. Every line is in exactly one
// object, in the order of the lines, and the finished files are gone.
func TestEveryLineThatLogrotateRotatesIsInOneObject(t *testing.T) {
	logrotate, err := exec.LookPath("logrotate")
	if err != nil {
		logrotate = "/usr/sbin/logrotate"
		if _, err := os.Stat(logrotate); err != nil {
			t.Skip("logrotate is not installed")
		}
	}
	for name, mode := range rotations {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the time goes into waiting
			logs := t.TempDir()
			if err := os.Chmod(logs, 0o755); err != nil { // logrotate refuses a directory that others may write to
				t.Fatal(err)
			}
			r := startWith(t, "", func(text string) string {
				return text +
					fmt.Sprintf("watch:\n  - {name: app, paths: [\"%s/%s\"], destination: %s, after: delete, scan: 100ms, finished: {idle: 300ms}}\n",
						logs, mode.glob, testbed.Destination)
			})
			state, conf := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "conf")
			text := fmt.Sprintf("%s/app.log {\nsu root root\nrotate 1000\nsize 1\n%s\n}\n", logs, mode.options)
			if os.Getuid() != 0 {
				text = strings.Replace(text, "su root root\n", "", 1)
			}
			if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			const rounds = 8
			for i := range rounds {
				write(t, filepath.Join(logs, "app.log"), fmt.Sprintf("round %d first\nround %d second\n", i, i))
				if out, err := exec.Command(logrotate, "-f", "-s", state, conf).CombinedOutput(); err != nil {
					t.Fatalf("logrotate: %v\n%s", err, out)
				}
				wait(t, time.Duration(i%4)*150*time.Millisecond) // some files shift before they are sent, some after
				if strings.Contains(mode.options, "dateext") {
					wait(t, 1100*time.Millisecond) // the name has a second's resolution
				}
			}
			rotated := rounds
			if strings.Contains(mode.options, "delaycompress") {
				rotated-- // the last one is not compressed yet
			}
			awaitStored(t, r, uint64(rotated))
			got := lines(t, r)
			for i := range rotated {
				for _, part := range []string{"first", "second"} {
					if line := fmt.Sprintf("round %d %s", i, part); got[line] != 1 {
						t.Errorf("%q is in %d objects, want 1", line, got[line])
					}
				}
			}
			if left, err := filepath.Glob(filepath.Join(logs, mode.glob)); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// write appends to the log, as a program does that opens it again.
func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// wait lets real time pass: between two rotations the daemon may or may not have sent.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

// awaitStored waits until n files are delivered, and none is left.
func awaitStored(t *testing.T, r *running, n uint64) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := r.client.Admin().ListWatches(t.Context(), &brokerdv1.ListWatchesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		w := list.GetWatches()[0]
		if w.GetStored() >= n && len(w.GetFiles()) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%d files are delivered, want %d: %v", w.GetStored(), n, w)
		}
	}
}

// lines counts the lines in all objects.
func lines(t *testing.T, r *running) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, o := range r.Sandbox.Objects(testbed.Bucket) {
		_, body, err := r.Sandbox.Object(testbed.Bucket, o.Key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		_ = body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
			z, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if data, err = io.ReadAll(z); err != nil {
				t.Fatalf("%s is a torn archive: %v", o.Key, err)
			}
		}
		for line := range strings.Lines(string(data)) {
			out[strings.TrimSuffix(line, "\n")]++
		}
	}
	return out
}
