package spool_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/spool"
)

// modelled opens a spool on the model file system, in virtual time.
func modelled(t *testing.T, o spool.Options) *spool.Spool {
	t.Helper()
	o.Dir, o.FS = "/spool", newModelFS()
	return open(t, o)
}

func TestARefusedDestinationIsParkedAndOneObjectProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, w := newStore(), &watcher{}
		var mu sync.Mutex
		var times []time.Time
		denied := true
		st.answer = func(e *spool.Entry, _ int) error {
			if e.Header().Destination != "logs" {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			times = append(times, time.Now())
			if denied {
				return &awserr.Failure{Disposition: awserr.Park, Reason: "ACCESS_DENIED", Err: errors.New("no")}
			}
			return nil
		}
		o := optionsOf(t, st)
		o.Observer, o.Destinations = w, map[string]spool.Limits{"logs": {MaxInFlight: 1}, "other": {}}
		s := modelled(t, o)
		for n := 1; n <= 20; n++ {
			accept(t, s, headerOf(n), []byte("x"))
		}
		h := headerOf(30)
		h.Destination = "other"
		accept(t, s, h, []byte("y"))
		running(t, s)
		time.Sleep(time.Hour)
		if st, _ := s.Status(idOf(30)); st.State != spool.Delivered {
			t.Errorf("the other destination waits too: %+v", st)
		}
		for n := 1; n <= 20; n++ {
			if st, _ := s.Status(idOf(n)); st.State != spool.Parked || st.LastReason != "ACCESS_DENIED" {
				t.Errorf("object %d: %+v", n, st)
			}
		}
		if u := s.Usage()[0]; u.Parked != 20 || u.Queued != 0 || u.ParkedReason != "ACCESS_DENIED" || u.ParkedError != "no" ||
			u.ParkedSince.IsZero() {
			t.Errorf("usage %+v", u)
		}
		// 1, 2, 4 … 300 s, of which half is chance: about 16 to 30 attempts in an hour, never two at once.
		mu.Lock()
		if n := len(times); n < 14 || n > 36 {
			t.Errorf("%d probes in an hour", n)
		}
		for i := range len(times) - 1 {
			gap := times[i+1].Sub(times[i])
			if gap < time.Second/2 || gap > 5*time.Minute {
				t.Errorf("probe %d after %v", i+1, gap)
			}
		}
		denied = false
		mu.Unlock()
		time.Sleep(6 * time.Minute)
		if err := s.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p, r := w.kinds(spool.EventParked), w.kinds(spool.EventResumed); len(p) != 1 || len(r) != 1 {
			t.Errorf("parked %d times, resumed %d times", len(p), len(r))
		}
		if got := len(st.delivered()); got != 21 {
			t.Errorf("%d were delivered", got)
		}
	})
}

func TestADestinationThatVanishesKeepsItsObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := newStore()
		s := modelled(t, optionsOf(t, st))
		accept(t, s, headerOf(1), []byte("x"))
		s.Reload(map[string]spool.Limits{"other": {}}, 0, 0, 0)
		running(t, s)
		time.Sleep(time.Hour)
		if st, _ := s.Status(idOf(1)); st.State != spool.Parked || st.LastReason != "UNKNOWN_DESTINATION" {
			t.Errorf("%+v", st)
		}
		if _, _, err := s.Accept(t.Context(), headerOf(2), unstated{nil}); !errors.Is(err, spool.ErrUnknownDestination) {
			t.Errorf("a new one: %v", err)
		}
		s.Reload(map[string]spool.Limits{"logs": {}}, 0, 0, 0)
		if end, err := s.Wait(t.Context(), idOf(1)); err != nil || end.State != spool.Delivered {
			t.Errorf("%+v, %v", end, err)
		}
	})
}

func TestUsersAndDestinationsTakeTurns(t *testing.T) {
	st := newStore()
	o := optionsOf(t, st)
	o.Workers = 1
	s := open(t, o)
	n := 0
	put := func(uid uint32, destination string) string {
		n++
		h := headerOf(n)
		h.UID, h.Destination = uid, destination
		accept(t, s, h, []byte("x"))
		return h.ID
	}
	var many []string
	for range 10 {
		many = append(many, put(1, "logs"))
	}
	small, other := put(2, "logs"), put(1, "other")
	running(t, s)
	if err := s.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := st.delivered()
	if slices.Index(got, small) > 3 || slices.Index(got, other) > 1 {
		t.Errorf("the one with many goes first: %d and %d of %d", slices.Index(got, small), slices.Index(got, other), len(got))
	}
	got = slices.DeleteFunc(got, func(id string) bool { return id == small || id == other })
	if !slices.Equal(got, many) {
		t.Error("not oldest first")
	}
}

func TestThrottlingHalvesTheWindowAndSuccessOpensIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		inFlight, most, throttle := 0, 0, true
		o := optionsOf(t, nil)
		o.Destinations = map[string]spool.Limits{"logs": {MaxInFlight: 8}}
		o.Deliver = func(context.Context, *spool.Entry) (json.RawMessage, error) {
			mu.Lock()
			inFlight++
			most = max(most, inFlight)
			refuse := throttle
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			inFlight--
			mu.Unlock()
			if refuse {
				return nil, &awserr.Failure{Reason: "SLOW_DOWN", Throttled: true, After: 10 * time.Second, Err: errors.New("slow down")}
			}
			return nil, nil
		}
		s := modelled(t, o)
		for n := range 200 {
			accept(t, s, headerOf(n+1), []byte("x"))
		}
		running(t, s)
		time.Sleep(5 * time.Second)
		if u := s.Usage()[0]; u.Window != 4 || u.InFlight != 0 || most != 8 {
			t.Errorf("after one burst of refusals: window %d, in flight %d, at most %d", u.Window, u.InFlight, most)
		}
		mu.Lock()
		throttle = false
		mu.Unlock()
		if err := s.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		if u := s.Usage()[0]; u.Window != 8 {
			t.Errorf("after successes: window %d", u.Window)
		}
		mu.Lock()
		defer mu.Unlock()
		if most > 8 {
			t.Errorf("%d in flight", most)
		}
	})
}

func TestTheEndOfRunIsNoFailure(t *testing.T) {
	o := optionsOf(t, nil)
	begun := make(chan struct{})
	o.Deliver = func(ctx context.Context, _ *spool.Entry) (json.RawMessage, error) {
		close(begun)
		<-ctx.Done()
		return nil, &awserr.Failure{Disposition: awserr.Dead, Reason: "CUT", Err: ctx.Err()}
	}
	s := open(t, o)
	accept(t, s, headerOf(1), []byte("x"))
	stop := running(t, s)
	<-begun
	stop()
	if st, _ := s.Status(idOf(1)); st.State != spool.Queued || st.Attempts != 0 || st.LastError != "" {
		t.Errorf("%+v", st)
	}
}
