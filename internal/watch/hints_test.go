package watch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

func nudged(h Hints) bool {
	select {
	case <-h.Changed():
		return true
	case <-time.After(10 * time.Second):
		return false
	}
}

func TestNotificationsOfNewFiles(t *testing.T) {
	h, err := NewHints(zap.NewNop())
	if err != nil {
		t.Skip(err)
	}
	defer h.Close()
	dir := t.TempDir()
	sub := filepath.Join(dir, "sub")
	h.Watch([]string{dir})
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	if !nudged(h) {
		t.Fatal("a new directory is not told")
	}
	for range 2 { // a directory that is made again is told again
		h.Watch([]string{dir, sub})
		if err := os.WriteFile(filepath.Join(sub, "tmp"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if !nudged(h) {
			t.Fatal("a new file is not told")
		}
		if err := os.RemoveAll(sub); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		_ = nudged(h)
	}
	h.Watch([]string{filepath.Join(dir, "gone")}) // it is limited from now on, and says so
	h.Watch([]string{dir})
}

// The scan alone would come in an hour.
func TestANotificationMakesTheScanEarlier(t *testing.T) {
	s := newStage(t, `  - {name: app, paths: ["DIR/*.gz"], destination: logs, after: delete, scan: 1h, finished: {idle: 100ms}}
`)
	s.hints = NewHints
	s.start()
	defer s.halt()
	if err := s.m.Scan(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	s.write("a.tmp", "one")
	s.rename("a.tmp", "a.gz")
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for len(s.bucket.contents()) == 0 {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("the file was not found")
		}
	}
}

// A program that writes to its log all the time causes no scan.
func TestALiveLogCostsNoScans(t *testing.T) {
	h, err := NewHints(zap.NewNop())
	if err != nil {
		t.Skip(err)
	}
	defer h.Close()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // a test
	h.Watch([]string{dir})
	for range 1000 {
		if _, err := f.WriteString("line\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "last"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if !nudged(h) {
		t.Fatal("the new file after the lines is not told")
	}
	select {
	case <-h.Changed():
		t.Error("the lines were told too")
	default:
	}
}

func TestFilesBehindLinksAreReadOnceWhereThatIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, `  - {name: app, paths: ["DIR/containers/**/*.log"], destination: logs, follow_links: true}
`)
		s.write("pods/ns_pod_uid/app/0.log", "one")
		s.write("containers/own.log", "two")
		for name, target := range map[string]string{
			"containers/a.log": s.path("pods/ns_pod_uid/app/0.log"), "containers/b.log": "../pods/ns_pod_uid/app/0.log",
			"containers/loop": s.path("containers"), "containers/dangling.log": "nowhere", "containers/proc.log": "/proc/self/environ",
		} {
			if err := os.Symlink(target, s.path(name)); err != nil {
				t.Fatal(err)
			}
		}
		s.start()
		defer s.halt()
		s.pass(2 * time.Minute)
		s.bucket.holds(t, "one", "two")
		if got := s.files(); !strings.Contains(got, "0.log") {
			t.Errorf("left: %s", got)
		}
		if st := s.m.Status()[0]; st.Files[Refused] != 1 {
			t.Errorf("a file of another file system is not refused: %v", st.Files)
		}
	})
}
