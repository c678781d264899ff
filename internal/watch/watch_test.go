package watch

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestAFinishedFileBecomesAnObjectAndIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("a.log.1.gz", "one")
		s.write("d/e/b.gz", "two")
		s.write("live.log", "three")
		s.start()
		defer s.halt()
		s.pass(29 * time.Second)
		s.expect("a.log.1.gz", "waiting/idle")
		s.bucket.holds(t)
		s.pass(2 * time.Second)
		s.bucket.holds(t, "one", "two")
		if got := s.files(); got != "live.log" {
			t.Errorf("left: %s", got)
		}
		if st := s.m.Status()[0]; st.Counts.Stored != 2 || st.Counts.Bytes != 6 || len(st.Files) != 0 || !st.Oldest.IsZero() {
			t.Errorf("status: %+v", st)
		}
	})
}

func TestAFileThatIsWrittenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("a.gz", "1")
		s.start()
		defer s.halt()
		for range 10 {
			s.pass(20 * time.Second)
			s.append("a.gz", "2")
		}
		s.bucket.holds(t)
		s.pass(time.Minute)
		s.bucket.holds(t, "12222222222")
	})
}

func TestRulesHoldFilesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, `  - name: app
    paths: ["DIR/*"]
    exclude: ["**/.*"]
    destination: logs
    finished: {marker: "{path}.done", min_size: 2}
    match: "/[a-z]+[^/]*$"
    max_age: 30d
    since: 1999-12-25
    after: delete
`)
		now := time.Now()
		for name, age := range map[string]time.Duration{
			"ready": time.Hour, "unmarked": time.Hour, "small": time.Hour, "Other": time.Hour, "old": 31 * 24 * time.Hour,
			"early": 10 * 24 * time.Hour, ".hidden": 0,
		} {
			s.write(name, map[bool]string{true: "x", false: "content of " + name}[name == "small"])
			if err := os.Chtimes(s.path(name), now, now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
		s.write("ready.done", "")
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		s.bucket.holds(t, "content of ready")
		for name, want := range map[string]string{
			"ready": "none", "ready.done": "none", "unmarked": "waiting/marker", "small": "left/min_size", "Other": "left/match",
			"old": "left/max_age", "early": "left/since", ".hidden": "none",
		} {
			s.expect(name, want)
		}
		if got := s.files(); strings.Contains(got, "ready") {
			t.Errorf("the file or its marker is left: %s", got)
		}
		s.write("unmarked.done", "")
		s.pass(time.Minute)
		s.bucket.holds(t, "content of ready", "content of unmarked")
	})
}

func TestAnOpenFileWaitsForItsWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, `  - {name: app, paths: ["DIR/*.gz"], destination: logs, after: delete, finished: {idle: 1s, closed: true}}
`)
		s.write("a.gz", "open")
		w, err := os.OpenFile(s.path("a.gz"), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		if s.stateOf("a.gz") == "none" {
			t.Skip("the file system has no leases")
		}
		s.expect("a.gz", "waiting/closed")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Minute)
		s.bucket.holds(t, "open")
	})
}

func TestSinceStartMeansTheFirstStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, `  - {name: app, paths: ["DIR/*.gz"], destination: logs, since: start}
`)
		now := time.Now()
		at := func(name string, when time.Time) {
			s.write(name, name)
			if err := os.Chtimes(s.path(name), when, when); err != nil {
				t.Fatal(err)
			}
		}
		at("before.gz", now.Add(-time.Hour))
		s.start()
		s.pass(time.Hour)
		s.halt()
		at("meanwhile.gz", now.Add(time.Minute)) // written while no daemon ran
		s.start()
		defer s.halt()
		s.pass(time.Hour)
		s.bucket.holds(t, "meanwhile.gz")
		s.expect("before.gz", "left/since")
	})
}

func TestKeptFilesAreDeliveredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, `  - {name: app, paths: ["DIR/x.*"], destination: logs}
`)
		s.write("x.1", "one")
		s.start()
		s.pass(time.Minute)
		s.expect("x.1", "kept/delivered")
		// Numbered files shift: the same content under another name is the same file.
		s.rename("x.1", "x.2")
		s.write("x.1", "two")
		s.pass(time.Minute)
		s.bucket.holds(t, "one", "two")
		s.halt()
		s.rename("x.2", "x.3")
		s.rename("x.1", "x.2")
		s.start()
		s.pass(time.Minute)
		s.bucket.holds(t, "one", "two")
		if s.bucket.sent() != 2 {
			t.Errorf("%d deliveries, want 2: the journal knows the files", s.bucket.sent())
		}
		s.halt()
		// Without its journal the watch sends again, to the same keys.
		s.rename("x.2", "x.1")
		s.rename("x.3", "x.2")
		s.rename("x.2", "x.1x")
		s.rename("x.1", "x.2x")
		s.rename("x.1x", "x.1")
		s.rename("x.2x", "x.2")
		s.rename("x.2", "x.two")
		s.rename("x.two", "x.1b")
		if err := os.RemoveAll(s.state); err != nil {
			t.Fatal(err)
		}
		s.rename("x.1b", "x.gone")
		if err := os.Remove(s.path("x.gone")); err != nil {
			t.Fatal(err)
		}
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		s.bucket.holds(t, "one", "two")
		if s.bucket.sent() != 3 {
			t.Errorf("%d deliveries, want 3", s.bucket.sent())
		}
		// New content is a new object.
		s.append("x.1", "!")
		s.pass(time.Minute)
		s.bucket.holds(t, "one", "one!", "two")
	})
}

func TestMovedFilesKeepTheirHierarchy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t,
			`  - {name: app, paths: ["DIR/**/*.gz"], destination: logs, after: move, move_to: "DIR/.sent", finished: {marker: "{path}.ok"}}
`)
		s.write("d/a.gz", "one")
		s.write("d/a.gz.ok", "")
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		s.bucket.holds(t, "one")
		if got := s.files(); got != ".sent/d/a.gz .sent/d/a.gz.ok" {
			t.Errorf("got %s", got)
		}
		s.pass(time.Hour)
		if s.bucket.sent() != 1 {
			t.Errorf("%d deliveries: move_to is watched", s.bucket.sent())
		}
	})
}

func TestAFileThatChangesWhileItIsSentBecomesNoObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("a.gz", "old")
		changed := false
		s.bucket.during = func(Upload) {
			if !changed {
				changed = true
				s.append("a.gz", "+new")
			}
		}
		s.start()
		defer s.halt()
		s.pass(31 * time.Second)
		s.bucket.holds(t)
		s.expect("a.gz", "waiting/idle")
		s.pass(time.Minute)
		s.bucket.holds(t, "old+new")
		if st := s.m.Status()[0]; st.Counts.Changed != 1 || st.Counts.Stored != 1 {
			t.Errorf("counts: %+v", st.Counts)
		}
	})
}

func TestAFileThatChangesAfterItsDeliveryIsNotRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("a.gz", "old")
		once := false
		s.bucket.lost = func(Upload) error {
			if !once {
				once = true
				s.append("a.gz", "+new")
			}
			return nil
		}
		s.start()
		defer s.halt()
		s.pass(31 * time.Second)
		if got := s.files(); got != "a.gz" {
			t.Fatalf("got %q", got)
		}
		s.pass(time.Minute)
		s.bucket.holds(t, "old", "old+new")
	})
}

// Its modification time is set back, so that only the content shows the change.
func TestAReplacedContentWithOldTimesIsNotRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		long := strings.Repeat("head", 2048)
		s.write("a.gz", long+"1"+long)
		s.bucket.lost = func(u Upload) error {
			st, err := u.File.Stat()
			if err != nil {
				t.Error(err)
			}
			s.write("a.gz", long+"2"+long)
			return os.Chtimes(s.path("a.gz"), st.ModTime(), st.ModTime())
		}
		s.start()
		defer s.halt()
		s.pass(10 * time.Minute)
		s.expect("a.gz", "dead/dead")
		if got := s.files(); got != "a.gz" {
			t.Errorf("the changed file is gone: %q", got)
		}
	})
}

func TestALostAnswerIsNoSecondObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("a.gz", "one")
		lost := 0
		s.bucket.lost = func(Upload) error {
			if lost++; lost < 3 {
				return &Failure{Kind: Pause, Reason: "NETWORK", Message: "the answer was lost"}
			}
			return nil
		}
		s.start()
		defer s.halt()
		s.pass(5 * time.Minute)
		s.bucket.holds(t, "one")
		if s.files() != "" || lost != 3 {
			t.Errorf("%d deliveries; left: %s", lost, s.files())
		}
	})
}

func TestFilesThatMustNotBeReadAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		outside := t.TempDir() + "/shadow"
		if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.write("fine.gz", "fine")
		s.write("twice.gz", "twice")
		for err, what := range map[error]string{
			os.Symlink(outside, s.path("link.gz")):               "link",
			os.Symlink(t.TempDir(), s.path("dir")):               "directory",
			os.Link(s.path("twice.gz"), s.path("second.txt")):    "hard link",
			unix.Mkfifo(s.path("fifo.gz"), 0o644):                "fifo",
			os.Symlink("/proc/self/environ", s.path("proc.gz")):  "proc",
			os.Symlink(s.path("fine.gz"), s.path("absolute.gz")): "absolute",
			os.Symlink("nowhere", s.path("dangling.gz")):         "dangling",
			os.MkdirAll(s.path("named.gz"), 0o755):               "a directory of that name",
		} {
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		s.start()
		defer s.halt()
		s.pass(2 * time.Minute)
		s.bucket.holds(t, "fine")
		for name, want := range map[string]string{
			"link.gz": "refused/links", "twice.gz": "refused/links", "fifo.gz": "refused/kind", "proc.gz": "refused/links", "named.gz": "none",
		} {
			s.expect(name, want)
		}
		if st := s.m.Status()[0]; st.Counts.Refused != 6 {
			t.Errorf("%d refusals are counted, want 6", st.Counts.Refused)
		}
		if n := s.logs.FilterMessage("a file is refused").Len(); n != 6 {
			t.Errorf("%d refusals are logged, want 6", n)
		}
		if err := os.Remove(s.path("second.txt")); err != nil {
			t.Fatal(err)
		}
		s.pass(2 * time.Minute)
		s.bucket.holds(t, "fine", "twice")
	})
}

func TestFilesOfOthersAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.owner = Owner{UID: uint32(os.Geteuid()) + 1}
		s.write("a.gz", "one")
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		s.bucket.holds(t)
		s.expect("a.gz", "refused/owner")
	})
}

// The judged file is replaced by a link before it is opened.
func TestASwappedFileIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		outside := t.TempDir()
		if err := os.WriteFile(outside+"/a.gz", []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		s.write("d/a.gz", "one")
		s.write("d/b.gz", "two")
		first := true
		s.bucket.during = func(u Upload) {
			if !first {
				return
			}
			first = false
			s.rename("d", "e") // b.gz waits for its turn in d
			if err := os.Symlink(outside, s.path("d")); err != nil {
				t.Error(err)
			}
		}
		s.config.Watch[0].Concurrency = 1
		s.start()
		defer s.halt()
		s.pass(5 * time.Minute)
		s.bucket.holds(t, "one", "two")
	})
}

func TestAnEmptyOrShrinkingFileIsNoObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("empty.gz", "")
		s.write("shrinks.gz", "long enough")
		s.bucket.during = func(u Upload) {
			if err := os.Truncate(u.File.Name(), 0); err != nil {
				t.Error(err)
			}
		}
		s.start()
		defer s.halt()
		s.pass(5 * time.Minute)
		s.bucket.holds(t)
		s.expect("empty.gz", "left/min_size")
		s.expect("shrinks.gz", "left/min_size")
	})
}

func TestASparseFileIsDeliveredByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("a.gz", "x")
		if err := os.Truncate(s.path("a.gz"), 1<<20); err != nil {
			t.Fatal(err)
		}
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		s.bucket.holds(t, "x"+strings.Repeat("\x00", 1<<20-1))
	})
}
