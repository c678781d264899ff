package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/watch/safefile"
)

func TestTheOldestFileGoesFirstAndFewAreInFlight(t *testing.T) {
	for order, want := range map[string]string{"mtime": "c a b", "name": "a b c"} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, `  - {name: app, paths: ["DIR/*"], destination: logs, after: delete, concurrency: 1, order: `+order+`}
`)
			for i, name := range []string{"c", "a", "b"} {
				s.write(name, name)
				at := time.Now().Add(time.Duration(i-10) * time.Minute)
				if err := os.Chtimes(s.path(name), at, at); err != nil {
					t.Fatal(err)
				}
			}
			s.start()
			defer s.halt()
			s.pass(time.Minute)
			if got := strings.Join(s.bucket.order, " "); got != want || s.bucket.most != 1 {
				t.Errorf("order %s: got %q with %d in flight, want %q with 1", order, got, s.bucket.most, want)
			}
		})
	}
}

// A destination that takes nothing is asked rarely, and by one file at a time.
func TestARefusedDestinationIsProbedByOneFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		var want []string
		for i := range 50 {
			name := fmt.Sprintf("%02d.gz", i)
			s.write(name, name)
			want = append(want, name)
		}
		var repaired atomic.Bool
		s.bucket.fail = func(Upload) error {
			if repaired.Load() {
				return nil
			}
			return &Failure{Kind: Pause, Reason: "ACCESS_DENIED", Message: "refused"}
		}
		s.start()
		defer s.halt()
		s.pass(time.Hour)
		if s.bucket.sent() < 12 || s.bucket.sent() > 40 {
			t.Errorf("%d tries in an hour", s.bucket.sent())
		}
		if st := s.m.Status()[0]; st.PauseReason != "ACCESS_DENIED" || st.PausedSince.IsZero() || st.Oldest.IsZero() {
			t.Errorf("status: %+v", st)
		}
		if n := s.logs.FilterMessageSnippet("takes no file").Len(); n != 1 {
			t.Errorf("the pause is logged %d times", n)
		}
		repaired.Store(true)
		s.pass(20 * time.Minute)
		s.bucket.holds(t, want...)
	})
}

func TestABusyDaemonIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("a.gz", "one")
		busy := 0
		s.bucket.fail = func(Upload) error {
			if busy++; busy > 20 {
				return nil
			}
			return &Failure{Kind: Busy, Reason: "DRAINING", After: 2 * time.Second}
		}
		s.start()
		defer s.halt()
		s.pass(2 * time.Minute)
		s.bucket.holds(t, "one")
		if st := s.m.Status()[0]; st.Counts.Failed != 0 {
			t.Errorf("%d failures are counted", st.Counts.Failed)
		}
	})
}

func TestOneBadFileDoesNotBlockTheOthers(t *testing.T) {
	for name, kind := range map[string]Kind{"a failure of the file": RetryFile, "a failure that looks like one of the destination": Pause} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, simple)
				s.config.Watch[0].Concurrency = 1
				s.write("0bad.gz", "bad")
				old := time.Now().Add(-time.Hour)
				if err := os.Chtimes(s.path("0bad.gz"), old, old); err != nil {
					t.Fatal(err)
				}
				s.write("1.gz", "one")
				s.write("2.gz", "two")
				s.bucket.fail = func(u Upload) error {
					if u.Name == "0bad.gz" {
						return &Failure{Kind: kind, Reason: "AWS_UNAVAILABLE", Message: "again and again"}
					}
					return nil
				}
				s.start()
				defer s.halt()
				s.pass(time.Minute)
				s.bucket.holds(t, "one", "two")
				s.expect("0bad.gz", "retrying/retry")
				before := s.bucket.sent()
				s.pass(time.Hour)
				if n := s.bucket.sent() - before; n < 5 || n > 15 {
					t.Errorf("the bad file was tried %d times in an hour", n)
				}
			})
		})
	}
}

func TestADeadFileIsShownOrMoved(t *testing.T) {
	for name, to := range map[string]string{"it stays": "", "it is moved": `, failed_to: "DIR/.failed"`} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, `  - {name: app, paths: ["DIR/**/*.gz"], destination: logs, after: delete`+to+`}
`)
				s.write("d/a.gz", "one")
				s.bucket.fail = func(Upload) error { return &Failure{Kind: Dead, Reason: "OBJECT_TOO_LARGE", Message: "too large"} }
				s.start()
				defer s.halt()
				s.pass(time.Hour)
				want := "d/a.gz"
				if to != "" {
					want = ".failed/d/a.gz"
				} else {
					s.expect("d/a.gz", "dead/dead")
				}
				if got := s.files(); got != want || s.bucket.sent() != 1 {
					t.Errorf("got %q after %d tries, want %q after 1", got, s.bucket.sent(), want)
				}
				if st := s.m.Status()[0]; st.Counts.Dead != 1 {
					t.Errorf("counts: %+v", st.Counts)
				}
			})
		})
	}
}

func TestRetryAndSkipAreDecisionsOfAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("a.gz", "one")
		s.write("b.gz", "two")
		dead := true
		s.bucket.fail = func(Upload) error {
			if dead {
				return &Failure{Kind: Dead, Reason: "INVALID_NAME", Message: "no"}
			}
			return nil
		}
		s.start()
		s.pass(time.Minute)
		dead = false
		if n, err := s.m.Skip("", []string{s.path("b.gz")}); n != 1 || err != nil {
			t.Errorf("Skip: got %d, %v", n, err)
		}
		if n, err := s.m.Retry("app", nil); n != 1 || err != nil {
			t.Errorf("Retry: got %d, %v", n, err)
		}
		s.pass(time.Minute)
		s.bucket.holds(t, "one")
		s.expect("b.gz", "skipped/skipped")
		if _, err := s.m.Retry("", []string{"/nowhere"}); err == nil {
			t.Error("a file that no watch knows is retried")
		}
		if _, err := s.m.Files("unknown", false); err == nil {
			t.Error("a watch that does not exist is listed")
		}
		s.halt()
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		s.expect("b.gz", "skipped/skipped")
		s.append("b.gz", "!") // other content is another file
		s.pass(time.Minute)
		s.bucket.holds(t, "one", "two!")
	})
}

func TestAPlanChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t,
			`  - {name: app, paths: ["DIR/**/*"], destination: logs, after: delete, object_name: "x/{base}", finished: {marker: "{path}.ok"}}
`)
		s.write("d/a.gz", "one")
		s.write("empty", "")
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		if err := s.m.Scan(t.Context(), "app"); err != nil {
			t.Fatal(err)
		}
		files, err := s.m.Files("app", true)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]FileStatus{}
		for f := range files {
			got[filepath.Base(f.Path)] = f
		}
		a := got["a.gz"]
		if a.Rule != RuleMarker || a.Action != "delete" || a.Name != "x/a.gz" || a.Key != "logs/x/a.gz-"+a.UploadID || len(a.UploadID) != 26 ||
			a.Since.IsZero() {
			t.Errorf("got %+v", a)
		}
		if e := got["empty"]; e.Rule != RuleMinSize || e.Action != "none" || e.Key != "" {
			t.Errorf("got %+v", e)
		}
		s.write("d/a.gz.ok", "")
		s.pass(time.Minute)
		if _, stored := s.bucket.objects[a.Key]; !stored {
			t.Errorf("the object has another key than the plan: %v", s.bucket.order)
		}
	})
}

func TestAReloadChangesTheWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		reload := func(watches string) {
			t.Helper()
			ch, err := s.m.Prepare(parse(t, s.dir, watches))
			if err != nil {
				t.Fatal(err)
			}
			ch.Commit()
		}
		reload(simple + `  - {name: more, paths: ["DIR/*.csv"], destination: logs, after: delete}
`)
		s.write("a.gz", "one")
		s.write("b.csv", "two")
		s.pass(time.Minute)
		s.bucket.holds(t, "one", "two")
		// The changed watch begins when the file in flight of the old one has ended.
		release := make(chan struct{})
		s.bucket.during = func(Upload) { <-release }
		s.write("c.gz", "three")
		s.pass(time.Minute)
		reload(strings.Replace(simple, "after: delete", "after: keep", 1))
		s.bucket.mu.Lock()
		s.bucket.during = nil
		s.bucket.mu.Unlock()
		s.write("d.gz", "four")
		s.write("e.csv", "five")
		s.pass(time.Minute)
		s.bucket.holds(t, "one", "two")
		close(release)
		s.pass(2 * time.Minute)
		s.bucket.holds(t, "four", "one", "three", "two")
		if got := s.files(); got != "d.gz e.csv" {
			t.Errorf("left: %s", got)
		}
	})
}

func TestAStopFinishesWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.config.Watch[0].Concurrency = 1
		s.write("a.gz", "one")
		s.write("b.gz", "two")
		s.bucket.during = func(Upload) { time.Sleep(time.Minute) } // of the bubble
		s.start()
		s.pass(40 * time.Second)
		s.halt()
		if got := s.files(); len(s.bucket.contents()) != 1 || strings.Count(got, ".gz") != 1 {
			t.Errorf("objects %q; left: %s", s.bucket.contents(), got)
		}
	})
}

func TestACrashDuringTheRemovalIsContinued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t,
			`  - {name: app, paths: ["DIR/**/*.gz"], exclude: ["**/.*"], destination: logs, after: delete, finished: {marker: "{path}.ok"}}
`)
		// What a crash leaves: the object is stored, the marker is gone, the file is staged.
		s.write("d/a.gz", "one")
		s.write("d/a.gz.ok", "")
		s.start()
		s.pass(time.Minute)
		s.halt()
		if s.files() != "" {
			t.Fatalf("left: %s", s.files())
		}
		s.write("d/b.gz", "two")
		s.start()
		var id string
		s.pass(time.Minute)
		files, err := s.m.Files("", true)
		if err != nil {
			t.Fatal(err)
		}
		for f := range files {
			id = f.UploadID
		}
		s.crash()
		staged, _ := safefile.StagedName(id, "b.gz")
		s.rename("d/b.gz", "d/"+staged)
		if err := os.RemoveAll(s.state); err != nil { // the journal is lost too
			t.Fatal(err)
		}
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		s.bucket.holds(t, "one", "two")
		if s.files() != "" {
			t.Errorf("left: %s", s.files())
		}
	})
}

func TestAFileThatCannotBeRemovedIsNotSentAgain(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may remove every file")
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, simple)
		s.write("d/a.gz", "one")
		if err := os.Chmod(s.path("d"), 0o555); err != nil {
			t.Fatal(err)
		}
		s.start()
		defer s.halt()
		s.pass(time.Hour)
		s.expect("d/a.gz", "removing/remove")
		if s.bucket.sent() != 1 {
			t.Errorf("%d deliveries", s.bucket.sent())
		}
		if err := os.Chmod(s.path("d"), 0o755); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Hour)
		if s.files() != "" {
			t.Errorf("left: %s", s.files())
		}
	})
}

func TestDirectoriesThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, `  - {name: app, paths: ["DIR/sub/*.gz"], destination: logs, after: delete}
`)
		s.start()
		defer s.halt()
		for i := range 3 {
			s.pass(time.Minute)
			if st := s.m.Status()[0]; len(st.Missing) != 1 {
				t.Errorf("the missing directory is not reported: %+v", st)
			}
			s.write("sub/a.gz", fmt.Sprint(i))
			s.pass(time.Minute)
			if err := os.Remove(s.path("sub")); err != nil {
				t.Fatal(err)
			}
		}
		s.bucket.holds(t, "0", "1", "2")
		if n := s.logs.FilterMessageSnippet("do not exist").Len(); n != 3 {
			t.Errorf("logged %d times, want 3", n)
		}
	})
}

func TestTwoWatchesOfOneFileAreTwoObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, `  - {name: a, paths: ["DIR/*.gz", "DIR/x*"], destination: logs}
  - {name: b, paths: ["DIR/*.gz"], destination: logs}
`)
		s.write("x.gz", "one")
		s.start()
		defer s.halt()
		s.pass(time.Minute)
		if got := s.bucket.contents(); !slices.Equal(got, []string{"one", "one"}) || s.bucket.sent() != 2 {
			t.Errorf("got %q after %d deliveries", got, s.bucket.sent())
		}
	})
}
