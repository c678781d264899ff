package spool_test

import (
	"bytes"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/spool"
)

// refusing returns a spool with the objects 1, 2 (dead) and 3. The files of 1 and 2
// cannot be opened as long as denied is set.
func refusing(t *testing.T, errno syscall.Errno) (s *spool.Spool, w *watcher, st *store, denied *atomic.Bool) {
	t.Helper()
	fs := newModelFS()
	st, w, denied = newStore(), &watcher{}, &atomic.Bool{}
	st.answer = func(e *spool.Entry, _ int) error {
		if e.Header().ID == idOf(2) && !denied.Load() && len(st.objects) == 0 {
			return &awserr.Failure{Disposition: awserr.Dead, Reason: "INVALID", Err: errors.New("never")}
		}
		return nil
	}
	o := spool.Options{Dir: "/spool", FS: fs, Deliver: st.Deliver, Observer: w, Destinations: map[string]spool.Limits{"logs": {}}}
	s = open(t, o)
	accept(t, s, headerOf(2), bytesOf(2, 2000))
	stop := running(t, s)
	if got, err := s.Wait(t.Context(), idOf(2)); err != nil || got.State != spool.Dead {
		t.Fatalf("got %+v, %v", got, err)
	}
	stop()
	accept(t, s, headerOf(1), bytesOf(1, 1000))
	accept(t, s, headerOf(3), bytesOf(3, 3000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fs.fault = func(_ int, what, name string) error {
		base := path.Base(name)
		if denied.Load() && what == "open" && (base == idOf(1)+".obj" || base == idOf(2)+".obj") {
			return pathError{what, name, errno}
		}
		return nil
	}
	denied.Store(true)
	return open(t, o), w, st, denied
}

func TestAnUnreadableObjectIsCountedListedAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w, _, denied := refusing(t, syscall.EACCES)
		got := s.Unrecovered()
		if got.Unreadable != 2 || got.Quarantined != 0 || !strings.Contains(got.Detail, "chown") {
			t.Errorf("got %+v, want 2 unreadable files and the chown that repairs them", got)
		}
		if n := len(w.kinds(spool.EventUnreadable)); n != 2 {
			t.Errorf("got %d events, want 2", n)
		}
		listed := map[string]spool.State{}
		for st := range s.List(spool.Filter{Destination: "logs"}) {
			listed[st.ID] = st.State
		}
		if listed[idOf(1)] != spool.Unreadable || listed[idOf(2)] != spool.Unreadable || listed[idOf(3)] != spool.Queued {
			t.Errorf("listed %v", listed)
		}
		if st, ok := s.Status(idOf(1)); !ok || st.State != spool.Unreadable || st.LastReason != "UNREADABLE" ||
			!strings.Contains(st.LastError, "permission denied") {
			t.Errorf("status: got %+v, known %v", st, ok)
		}
		if _, err := s.Export(t.Context(), idOf(1), &bytes.Buffer{}); !errors.Is(err, spool.ErrState) {
			t.Errorf("export: got %v", err)
		}
		if err := s.Drop(t.Context(), idOf(1), false); !errors.Is(err, spool.ErrState) {
			t.Errorf("drop without force: got %v", err)
		}
		if n, err := s.Retry("", idOf(1)); n != 0 || !errors.Is(err, spool.ErrState) {
			t.Errorf("retry while it is unreadable: got %d, %v", n, err)
		}
		denied.Store(false) // an operator has run chown
		if n, err := s.Retry("", idOf(1)); n != 1 || err != nil {
			t.Errorf("retry after the repair: got %d, %v", n, err)
		}
		if st, _ := s.Status(idOf(1)); st.State != spool.Queued {
			t.Errorf("after the repair: got %+v", st)
		}
		if n, err := s.Retry("logs"); err != nil || n != 3 {
			t.Errorf("retry of the destination: got %d, %v", n, err)
		}
		if got := s.Unrecovered(); got != (spool.Unrecovered{}) {
			t.Errorf("after the repair of all: got %+v", got)
		}
	})
}

func TestUnreadableFilesAreReadAgainByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w, st, denied := refusing(t, syscall.EMFILE)
		running(t, s)
		time.Sleep(5 * time.Second)
		if n := s.Unrecovered().Unreadable; n != 2 {
			t.Errorf("got %d unreadable files, want 2", n)
		}
		denied.Store(false)
		time.Sleep(time.Minute)
		if n := s.Unrecovered().Unreadable; n != 0 {
			t.Errorf("a minute after the repair: got %d unreadable files", n)
		}
		if got, err := s.Wait(t.Context(), idOf(1)); err != nil || got.State != spool.Delivered {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, _ := s.Status(idOf(2)); got.State != spool.Dead {
			t.Errorf("the dead object: got %+v, want it dead again", got)
		}
		if n := len(st.delivered()); n != 2 || len(w.kinds(spool.EventRecovered)) != 2 {
			t.Errorf("got %d deliveries and %d events", n, len(w.kinds(spool.EventRecovered)))
		}
	})
}

// A call that waits for an unreadable object hears of its delivery, and does not spin.
func TestAnUnreadableObjectIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _, denied := refusing(t, syscall.EIO)
		running(t, s)
		heard := make(chan spool.Status, 1)
		go func() {
			st, _ := s.Wait(t.Context(), idOf(1))
			heard <- st
		}()
		time.Sleep(time.Hour)
		select {
		case st := <-heard:
			t.Fatalf("it did not wait: %+v", st)
		default:
		}
		denied.Store(false)
		if st := <-heard; st.State != spool.Delivered {
			t.Errorf("got %+v", st)
		}
	})
}

// The journal of an unreadable object names a multipart upload: without it, the
// upload would stay in the bucket.
func TestTheJournalOfAnUnreadableObjectIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := newModelFS()
		var upload string
		first := true
		o := spool.Options{Dir: "/spool", FS: fs, Destinations: map[string]spool.Limits{"logs": {}}}
		st := newStore()
		o.Deliver = st.Deliver
		st.answer = func(e *spool.Entry, _ int) error {
			if first {
				first = false
				return errors.Join(e.BeginUpload("u", 64<<10), errors.New("later"))
			}
			upload, _ = e.UploadID()
			return nil
		}
		s := open(t, o)
		accept(t, s, headerOf(1), bytesOf(1, 1000))
		stop := running(t, s)
		synctest.Wait()
		stop()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		denied := true
		fs.fault = func(_ int, what, name string) error {
			if denied && what == "open" && path.Ext(name) == ".obj" {
				return pathError{what, name, syscall.EACCES}
			}
			return nil
		}
		s = open(t, o)
		denied = false
		running(t, s)
		if _, err := s.Wait(t.Context(), idOf(1)); err != nil || upload != "u" {
			t.Errorf("the delivery knew the upload %q (%v), want %q", upload, err, "u")
		}
	})
}

// Damaged files of earlier starts stay visible until an operator decides.
func TestQuarantineIsShownAtEveryStart(t *testing.T) {
	o := optionsOf(t, newStore())
	s := open(t, o)
	accept(t, s, headerOf(1), bytesOf(1, 1000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(o.Dir, "queue", idOf(1)+".obj"), 500); err != nil {
		t.Fatal(err)
	}
	for start := range 2 {
		s = open(t, o)
		if got := s.Unrecovered(); got.Quarantined != 1 || got.QuarantinedBytes != 500 || !strings.Contains(got.Detail, idOf(1)) {
			t.Errorf("start %d: got %+v", start, got)
		}
		if st, ok := s.Status(idOf(1)); !ok || st.State != spool.Quarantined {
			t.Errorf("start %d: got %+v", start, st)
		}
		if st, err := s.Wait(t.Context(), idOf(1)); err != nil || st.State != spool.Quarantined {
			t.Errorf("start %d: waiting gave %+v, %v", start, st, err)
		}
		if start == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Retry("", idOf(1)); !errors.Is(err, spool.ErrState) {
		t.Errorf("retry: got %v", err)
	}
	if err := s.Drop(t.Context(), idOf(1), false); err != nil {
		t.Errorf("drop: %v", err)
	}
	if got := s.Unrecovered(); got != (spool.Unrecovered{}) || len(names(t, o.Dir)) != 0 {
		t.Errorf("after the drop: got %+v, files %v", got, names(t, o.Dir))
	}
}

// A file that an operator removed by hand is counted no more.
func TestAFileThatWasRemovedByHandIsForgotten(t *testing.T) {
	o := optionsOf(t, newStore())
	if err := os.MkdirAll(filepath.Join(o.Dir, "queue"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(o.Dir, "queue", idOf(1)+".obj")
	if err := os.Symlink("/etc/hostname", link); err != nil { // never followed
		t.Fatal(err)
	}
	s := open(t, o)
	if got := s.Unrecovered(); got.Unreadable != 1 || !strings.Contains(got.Detail, "symbolic link") {
		t.Errorf("got %+v", got)
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	if got := s.Unrecovered(); got != (spool.Unrecovered{}) {
		t.Errorf("after it was removed: got %+v", got)
	}
}
