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
				return nil, &spool.Failure{Fate: spool.Park, Reason: "ACCESS_DENIED", Err: errors.New("denied")}
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
	if _, _, err := s.Accept(t.Context(), headerOf(1), bytes.NewReader(data), nil); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("got %v", err)
	}
	ill.Store(false)
	if _, known, err := s.Accept(t.Context(), headerOf(1), bytes.NewReader(data), nil); err != nil || known {
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
