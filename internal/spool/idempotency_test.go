package spool_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/brokerd/brokerd/internal/spool"
)

// unread is a body that must not be touched.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestTheSameKeyIsAcceptedOnce(t *testing.T) {
	st := newStore()
	o := optionsOf(t, st)
	s := open(t, o)
	keyed := func(n int, uid uint32, destination string) spool.Header {
		h := headerOf(n)
		h.UID, h.Destination, h.IdempotencyKey = uid, destination, "invoice-7"
		return h
	}
	accept(t, s, keyed(1, 1000, "logs"), []byte("one"))
	same := func(s *spool.Spool, state spool.State) {
		t.Helper()
		got, known, err := s.Accept(t.Context(), keyed(2, 1000, "logs"), unstated{unread{t}})
		if err != nil || !known || got.ID != idOf(1) || got.State != state {
			t.Errorf("the same again: %+v, known %v, %v", got, known, err)
		}
	}
	same(s, spool.Queued)
	accept(t, s, keyed(3, 1001, "logs"), []byte("another user"))
	accept(t, s, keyed(4, 1000, "other"), []byte("another destination"))
	if _, known, err := s.Accept(t.Context(), headerOf(1), unstated{unread{t}}); err != nil || !known {
		t.Errorf("the same id: known %v, %v", known, err)
	}
	stolen := headerOf(1)
	stolen.UID = 5
	if _, _, err := s.Accept(t.Context(), stolen, unstated{unread{t}}); !errors.Is(err, spool.ErrConflict) {
		t.Errorf("another user's id: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, o)
	same(s, spool.Queued)
	stop := running(t, s)
	if err := s.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	same(s, spool.Delivered)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	same(open(t, o), spool.Delivered)
}

func TestTheSecondOfTwoAtATimeWaitsAndTakesOver(t *testing.T) {
	for name, fails := range map[string]bool{"the first succeeds": false, "the first fails": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := modelled(t, optionsOf(t, newStore()))
				h1, h2 := headerOf(1), headerOf(2)
				h1.IdempotencyKey, h2.IdempotencyKey = "k", "k"
				slow, pipe := io.Pipe()
				first := make(chan error, 1)
				go func() { _, _, err := s.Accept(t.Context(), h1, unstated{slow}); first <- err }()
				synctest.Wait()
				type answer struct {
					st    spool.Status
					known bool
					err   error
				}
				second := make(chan answer, 1)
				go func() {
					st, known, err := s.Accept(t.Context(), h2, unstated{bytes.NewReader([]byte("x"))})
					second <- answer{st, known, err}
				}()
				synctest.Wait()
				select {
				case a := <-second:
					t.Fatalf("it did not wait: %+v", a)
				default:
				}
				want, cut := idOf(1), error(nil)
				if fails {
					want, cut = idOf(2), errors.New("cut")
				}
				_ = pipe.CloseWithError(cut)
				if err := <-first; (err != nil) != fails {
					t.Errorf("the first: %v", err)
				}
				if a := <-second; a.err != nil || a.known == fails || a.st.ID != want {
					t.Errorf("the second: %+v", a)
				}
			})
		})
	}
}
