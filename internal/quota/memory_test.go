package quota

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestAUserMakesOnlyItselfForget(t *testing.T) {
	m := NewMemory[int, string](100)
	for i := range 40 {
		m.Add(Party{UID: 1}, i, "alice")
	}
	for i := range 10000 {
		m.Add(Party{UID: 2}, 1000+i, "bob")
	}
	for i := range 40 {
		if v, ok := m.Get(i); !ok || v != "alice" {
			t.Fatalf("value %d of the first user: %q, %t", i, v, ok)
		}
	}
	if len(m.values) != 100 {
		t.Errorf("got %d values, want 100", len(m.values))
	}
	if _, ok := m.Get(1000); ok {
		t.Error("the oldest value of the second user is still there")
	}
	if _, ok := m.Get(10999); !ok {
		t.Error("the last value of the second user is gone")
	}
	for i := range 40 {
		m.Remove(i)
		m.Remove(i)
	}
	if len(m.shares) != 1 {
		t.Errorf("got %d shares after the first one was removed, want 1", len(m.shares))
	}
}

func TestAValueThatIsAddedAgainMovesToItsNewOwner(t *testing.T) {
	m := NewMemory[int, string](2)
	m.Add(Party{UID: 1}, 1, "a")
	m.Add(Party{UID: 2}, 1, "b")
	if v, _ := m.Get(1); v != "b" || len(m.values) != 1 || len(m.shares) != 1 {
		t.Errorf("got %q, %d values, %d shares", v, len(m.values), len(m.shares))
	}
}

func TestRatesAreOfAShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRates(time.Second, 2)
		for range 2 {
			if wait, ok := r.Take(Party{UID: 1, Group: 5}); !ok {
				t.Fatalf("refused for %s", wait)
			}
		}
		if wait, ok := r.Take(Party{UID: 2, Group: 5}); ok || wait != time.Second {
			t.Errorf("another user id of the same group: wait %s, %t; want 1s, refused", wait, ok)
		}
		if _, ok := r.Take(Party{UID: 2}); !ok {
			t.Error("another user was refused")
		}
		time.Sleep(time.Second)
		if _, ok := r.Take(Party{UID: 1, Group: 5}); !ok {
			t.Error("refused after the wait")
		}
	})
}

func TestLinesAreCountedBeyondAFewASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		l := NewLines(zap.New(core))
		go func() { _ = l.Run(t.Context()) }()
		for range 1244 {
			l.Warn(Party{UID: 1001}, "PEER_NOT_ALLOWED", "call refused")
		}
		l.Warn(Party{UID: 1002}, "PEER_NOT_ALLOWED", "call refused")
		l.Warn(Party{UID: 1001}, "OTHER", "another")
		if got := logs.Len(); got != linesBurst+2 {
			t.Errorf("got %d lines, want %d of one user and reason, and two others", got, linesBurst+2)
		}
		time.Sleep(linesReport + time.Second)
		synctest.Wait()
		last := logs.All()[logs.Len()-1]
		if want := "call refused (1234 more of the same from uid 1001)"; last.Message != want {
			t.Errorf("got %q, want %q", last.Message, want)
		}
		time.Sleep(2 * linesReport)
		synctest.Wait()
		if got := logs.Len(); got != linesBurst+3 {
			t.Errorf("got %d lines, want no second report of the same lines", got)
		}
		if len(l.lines) != 0 {
			t.Errorf("%d limits are remembered without use", len(l.lines))
		}
	})
}
