package spool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/spool"
)

// A file that could not be removed after a failure bears the name that the next
// try of the same upload takes. What is removed later must not be that one.
func TestWhatCouldNotBeRemovedIsNotTheNextTrysFile(t *testing.T) {
	for name, broken := range map[string]string{
		"refused before the rename": "sync " + idOf(1) + ".tmp",
		"refused after the rename":  "syncdir queue",
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { takenAgain(t, broken) }) })
	}
}

func takenAgain(t *testing.T, broken string) {
	fs := newModelFS()
	var ill atomic.Bool
	fs.fault = func(_ int, what, name string) error {
		op := what + " " + baseOf(name)
		if ill.Load() && (op == broken || what == "remove") {
			return pathError{what, name, syscall.EROFS}
		}
		return nil
	}
	data := bytesOf(1, 100_000)
	repaired := time.Now().Add(time.Hour)
	var got []byte
	s, err := spool.Open(spool.Options{Dir: "/spool", FS: fs, Destinations: map[string]spool.Limits{"logs": {}},
		Deliver: func(_ context.Context, e *spool.Entry) (json.RawMessage, error) {
			if time.Now().Before(repaired) {
				return nil, &awserr.Failure{Disposition: awserr.Park, Reason: "ACCESS_DENIED", Err: errors.New("denied")}
			}
			var err error
			got, err = io.ReadAll(e.Section(0, e.Size()))
			return nil, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ill.Store(true)
	if _, _, err := s.Accept(t.Context(), headerOf(1), unstated{bytes.NewReader(data)}); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("got %v", err)
	}
	ill.Store(false)
	if _, known, err := s.Accept(t.Context(), headerOf(1), unstated{bytes.NewReader(data)}); err != nil || known {
		t.Fatalf("the same again: known %v, %v", known, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	defer func() { cancel(); <-done }()
	time.Sleep(3 * time.Hour) // some rounds of housekeeping
	if st, ok := s.Status(idOf(1)); !ok || st.State != spool.Delivered || !bytes.Equal(got, data) {
		t.Errorf("acknowledged, and then: %+v", st)
	}
	for name := range fs.names("/spool/queue") {
		t.Errorf("left in the queue: %s", name)
	}
}

func baseOf(name string) string { return path.Base(name) }

// A receipt is what stops a repetition: it stays as long as the data does.
func TestAReceiptOutlivesDataThatCannotBeRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := newModelFS()
		stuck := true
		fs.fault = func(_ int, what, name string) error {
			if stuck && what == "remove" && path.Ext(name) == ".obj" {
				return pathError{what, name, syscall.EIO}
			}
			return nil
		}
		st := newStore()
		o := spool.Options{Dir: "/spool", FS: fs, Deliver: st.Deliver, Destinations: map[string]spool.Limits{"logs": {}}}
		s := open(t, o)
		accept(t, s, headerOf(1), bytesOf(1, 1000))
		stop := running(t, s)
		time.Sleep(72 * time.Hour)
		stop()
		if got, ok := s.Status(idOf(1)); !ok || got.State != spool.Delivered {
			t.Errorf("its data is still there, its receipt: %+v, %v", got, ok)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		stuck = false
		o.FS = fs.reboot(loseNothing, nil)
		s = open(t, o)
		stop = running(t, s)
		time.Sleep(72 * time.Hour)
		stop()
		if n := len(st.delivered()); n != 1 {
			t.Errorf("delivered %d times", n)
		}
		if _, ok := s.Status(idOf(1)); ok {
			t.Error("the receipt is kept for ever")
		}
	})
}

// A log of receipts that the disk does not give back is no reason not to start.
func TestAReceiptThatCannotBeReadStopsNoStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := newModelFS()
		st := newStore()
		o := spool.Options{Dir: "/spool", FS: fs, Deliver: st.Deliver, Destinations: map[string]spool.Limits{"logs": {}}}
		s := open(t, o)
		stop := running(t, s)
		accept(t, s, headerOf(1), bytesOf(1, 1000))
		time.Sleep(time.Minute)
		stop()
		accept(t, s, headerOf(2), bytesOf(2, 1000))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		fs.fault = func(_ int, what, name string) error {
			if path.Ext(name) == ".log" {
				return pathError{what, name, syscall.EIO}
			}
			return nil
		}
		s, err := spool.Open(o)
		if err != nil {
			t.Fatalf("it does not start: %v", err)
		}
		if r := s.Recovery(); r.Queued != 1 || len(r.Unreadable) != 1 || s.Unrecovered().Unreadable != 1 {
			t.Errorf("recovery: %+v, now %+v", r, s.Unrecovered())
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// What the disk does not give at the start is accepted all the same: it is
// delivered when the disk gives it.
func TestAnObjectThatCannotBeReadAtTheStartIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := newModelFS()
		st := newStore()
		o := spool.Options{Dir: "/spool", FS: fs, Deliver: st.Deliver, Destinations: map[string]spool.Limits{"logs": {}}}
		s := open(t, o)
		for n := 1; n <= 3; n++ {
			accept(t, s, headerOf(n), bytesOf(n, 1000))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		var ill atomic.Bool
		fs.fault = func(_ int, what, name string) error {
			if ill.Load() && what == "open" && (path.Base(name) == idOf(1)+".obj" || path.Base(name) == idOf(2)+".obj") {
				return pathError{what, name, syscall.EMFILE}
			}
			return nil
		}
		ill.Store(true)
		s = open(t, o)
		if r := s.Recovery(); r.Queued != 1 || len(r.Unreadable) != 2 {
			t.Errorf("recovery: %+v", r)
		}
		running(t, s)
		time.Sleep(15 * time.Minute)
		ill.Store(false)
		// Its sender has lost patience and sends one of them again.
		accept(t, s, headerOf(2), bytesOf(2, 1000))
		time.Sleep(time.Hour)
		for n := 1; n <= 3; n++ {
			if got, _ := s.Status(idOf(n)); got.State != spool.Delivered {
				t.Errorf("object %d: %+v", n, got)
			}
		}
		if n := len(st.delivered()); n != 3 {
			t.Errorf("%d deliveries", n)
		}
	})
}
