package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// watching returns a bed whose configuration has the watch of the text; DIR is a directory.
func watching(t *testing.T, bed *testbedtest.Bed, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	const head = `destinations:
  ` + testbed.Destination + `:
    role: arn:aws:iam::111122223333:role/r
    bucket: bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: "{name}-{id}"
watch:
`
	c, err := config.Parse("f", []byte(head+strings.NewReplacer("DIR", dir, "DEST", testbed.Destination).Replace(text)))
	if err != nil {
		t.Fatal(err)
	}
	bed.Config.Watch = c.Watch
	bed.Config.Spool.Dir = filepath.Join(bed.Dir, "spool")
	bed.Config.Access[0].Allow = append(bed.Config.Access[0].Allow, config.PermAdmin)
	return dir
}

const quick = `  - {name: app, paths: ["DIR/**/*.gz"], destination: DEST, after: delete, scan: 100ms, finished: {idle: 100ms}}
`

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// until waits for a state of the watch.
func (r *running) until(t *testing.T, what string, ok func(*brokerdv1.Watch) bool) *brokerdv1.Watch {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(time.Minute)
	for {
		list, err := r.Admin().ListWatches(t.Context(), &brokerdv1.ListWatchesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range list.GetWatches() {
			if ok(w) {
				return w
			}
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("never seen: %s; the watches are %v", what, list.GetWatches())
		}
	}
}

func TestWatchedFilesBecomeObjects(t *testing.T) {
	bed := testbedtest.New(t)
	dir := watching(t, bed, quick)
	small, large := randomBytes(1000), randomBytes(20<<20)
	put(t, filepath.Join(dir, "a.gz"), small)
	put(t, filepath.Join(dir, "d/b.gz"), large)
	d := ready(t, bed)
	d.until(t, "two delivered files", func(w *brokerdv1.Watch) bool { return w.GetStored() == 2 && len(w.GetFiles()) == 0 })
	holds(t, bed, small, large)
	if left, err := filepath.Glob(dir + "/*/*"); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	d.halt(t)
}

// The object's key has the date of the file, and its owner.
func TestAWatchedFileIsTheSameObjectAfterARestart(t *testing.T) {
	bed := testbedtest.New(t)
	dir := watching(t, bed, strings.Replace(quick, "after: delete", "after: keep", 1))
	data := randomBytes(6 << 20)
	path := filepath.Join(dir, "a.gz")
	put(t, path, data)
	old := time.Now().Add(-100 * 24 * time.Hour) // older than any idempotency key of a client
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		d := ready(t, bed)
		d.until(t, "a kept file", func(w *brokerdv1.Watch) bool { return w.GetFiles()["kept"] == 1 })
		d.halt(t)
		if err := os.RemoveAll(bed.Config.Spool.Dir + ".watch"); err != nil {
			t.Fatal(err)
		}
	}
	holds(t, bed, data)
	if key := bed.Sandbox.Objects(testbed.Bucket)[0].Key; !strings.Contains(key, old.UTC().Format("2006/01/02")) {
		t.Errorf("the key %s has another date than the file", key)
	}
}

func TestARefusalOfAWSLeavesWatchedFilesWhereTheyAre(t *testing.T) {
	bed := spooling(t, config.DurabilitySpool) // the file system is the queue, not the spool
	spool := bed.Config.Spool
	dir := watching(t, bed, quick)
	bed.Config.Spool = spool
	if err := bed.PutBucketPolicy(t.Context(), denied); err != nil {
		t.Fatal(err)
	}
	d := ready(t, bed)
	var want [][]byte
	for i := range 20 {
		data := randomBytes(1000 + i)
		want = append(want, data)
		put(t, filepath.Join(dir, string(rune('a'+i))+".gz"), data)
	}
	w := d.until(t, "a pause", func(w *brokerdv1.Watch) bool {
		return w.GetPauseReason() == "ACCESS_DENIED" && w.GetFiles()["retrying"] > 0
	})
	if w.GetFailed() > 8 {
		t.Errorf("%d deliveries failed before the pause", w.GetFailed())
	}
	for _, u := range d.log.daemon.spool.Usage() {
		if u.Queued+u.Parked+u.Delivering > 0 {
			t.Errorf("the spool holds copies: %+v", u)
		}
	}
	if left, err := filepath.Glob(dir + "/*.gz"); err != nil || len(left) != 20 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if err := bed.PutBucketPolicy(t.Context(), string(bed.Docs.Bucket)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Admin().RetryWatchedFiles(t.Context(), &brokerdv1.RetryWatchedFilesRequest{}); err != nil {
		t.Fatal(err)
	}
	d.until(t, "all delivered", func(w *brokerdv1.Watch) bool { return w.GetStored() == 20 && w.GetPausedTime() == nil })
	holds(t, bed, want...)
	d.halt(t)
}
