package spool_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/spool"
)

func TestAnOperatorDecidesAboutTheDead(t *testing.T) {
	st := newStore()
	bury := true
	st.answer = func(e *spool.Entry, _ int) error {
		if !bury {
			return nil
		}
		if id, _ := e.UploadID(); id == "" {
			if err := e.BeginUpload("upload-1", 8<<20); err != nil {
				return err
			}
		}
		return &awserr.Failure{Disposition: awserr.Dead, Reason: "TOO_LARGE", Err: errors.New("EntityTooLarge")}
	}
	var abandoned []string
	o := optionsOf(t, st)
	refuse := errors.New("no network")
	o.Abandon = func(_ context.Context, e *spool.Entry) error {
		if refuse != nil {
			return refuse
		}
		id, _ := e.UploadID()
		abandoned = append(abandoned, e.Header().ID+" "+id)
		return nil
	}
	s := open(t, o)
	for n := range 3 {
		accept(t, s, headerOf(n+1), bytesOf(n+1, 1000))
	}
	if err := s.Drop(t.Context(), idOf(1), false); !errors.Is(err, spool.ErrState) {
		t.Errorf("a queued object was dropped unforced: %v", err)
	}
	stop := running(t, s)
	if err := s.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o) // dead objects are dead after a restart
	var ids []string
	for got := range s.List(spool.Filter{States: []spool.State{spool.Dead}}) {
		ids = append(ids, got.ID)
		if got.LastReason != "TOO_LARGE" || got.LastError == "" || got.Name == "" {
			t.Errorf("%+v", got)
		}
	}
	if !slices.Equal(ids, []string{idOf(1), idOf(2), idOf(3)}) {
		t.Errorf("dead: %v", ids)
	}
	var out bytes.Buffer
	if n, err := s.Export(t.Context(), idOf(1), &out); err != nil || n != 1000 || !bytes.Equal(out.Bytes(), bytesOf(1, 1000)) {
		t.Errorf("export: %d, %v", n, err)
	}
	if err := s.Drop(t.Context(), idOf(2), false); !errors.Is(err, refuse) {
		t.Errorf("dropped with its upload left behind: %v", err)
	}
	refuse = nil
	if err := s.Drop(t.Context(), idOf(2), false); err != nil || !slices.Equal(abandoned, []string{idOf(2) + " upload-1"}) {
		t.Errorf("drop: %v, abandoned %v", err, abandoned)
	}
	if _, ok := s.Status(idOf(2)); ok {
		t.Error("a dropped object is known")
	}
	bury = false
	if n, err := s.Retry("logs"); n != 2 || err != nil {
		t.Errorf("retried %d, %v", n, err)
	}
	running(t, s)
	if err := s.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := names(t, o.Dir); len(left) > 0 || len(st.delivered()) != 2 {
		t.Errorf("left %v, delivered %v", left, st.delivered())
	}
	if _, err := s.Retry("", "nonsense", idOf(1)); !errors.Is(err, spool.ErrUnknown) || !errors.Is(err, spool.ErrState) {
		t.Errorf("%v", err)
	}
}
