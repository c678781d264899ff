package broker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSessionIsRefreshedInTheBackgroundLongBeforeItEnds(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		first, err := b.Session(t.Context(), "logs")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(34 * time.Minute)
		if n := sts.count(); n != 1 {
			t.Fatalf("refreshed at 34 min of 60 already: %d calls", n)
		}
		time.Sleep(7 * time.Minute)
		second, err := b.Session(t.Context(), "logs")
		if err != nil {
			t.Fatal(err)
		}
		if second.AccessKeyID == first.AccessKeyID || second.Generation != 2 {
			t.Errorf("after 41 min the first session is still in use (generation %d)", second.Generation)
		}
	})
}

func TestValidSessionIsServedThroughAnOutage(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}, {err: errors.New("connection refused")}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		for range 58 { // minutes; the refresh is due at 35 to 40
			if _, err := b.Session(t.Context(), "logs"); err != nil {
				t.Fatalf("a caller saw the outage: %v", err)
			}
			time.Sleep(time.Minute)
		}
		if n := sts.count(); n < 10 {
			t.Errorf("only %d attempts in 20 minutes of outage", n)
		}
		time.Sleep(3 * time.Minute)
		_, err := b.Session(t.Context(), "logs")
		var be *Error
		if !errors.As(err, &be) || be.Reason() != "SESSION_UNAVAILABLE" {
			t.Errorf("after the expiry: got %v, want SESSION_UNAVAILABLE", err)
		}
	})
}

func TestServiceResumesAfterAnOutage(t *testing.T) {
	down := answer{err: errors.New("no route to host")}
	sts := &scripted{answers: []answer{down, down, down, {life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		if _, err := b.Session(t.Context(), "logs"); err == nil {
			t.Fatal("got a session from a dead STS")
		}
		time.Sleep(time.Minute)
		if _, err := b.Session(t.Context(), "logs"); err != nil {
			t.Errorf("a minute after the repair: %v", err)
		}
	})
}

func TestTenThousandFirstCallersCauseOneCall(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour, takes: 2 * time.Second}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		defer b.stop()
		var wg sync.WaitGroup
		for range 10_000 {
			wg.Go(func() {
				if _, err := b.Session(t.Context(), "logs"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := sts.count(); n != 1 {
			t.Errorf("%d calls to STS, want 1", n)
		}
	})
}

func TestFailureIsSharedByAllWaiters(t *testing.T) {
	sts := &scripted{answers: []answer{{err: apiError{"AccessDenied"}, takes: time.Second}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		defer b.stop()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := b.Session(t.Context(), "logs")
				var be *Error
				if !errors.As(err, &be) || be.Reason() != "SESSION_DENIED" {
					t.Errorf("got %v, want SESSION_DENIED", err)
				}
			})
		}
		wg.Wait()
		if n := sts.count(); n != 1 {
			t.Errorf("%d calls to STS, want 1", n)
		}
	})
}

func TestOneCallersCancelDoesNotFailAnother(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour, takes: 5 * time.Second}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		defer b.stop()
		hasty, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := make(chan error, 1)
		go func() {
			_, err := b.Session(hasty, "logs")
			got <- err
		}()
		synctest.Wait()
		if _, err := b.Session(t.Context(), "logs"); err != nil {
			t.Errorf("the patient caller: %v", err)
		}
		if err := <-got; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the hasty caller: got %v, want its own deadline", err)
		}
	})
}

func TestHungSourceFreesTheSlot(t *testing.T) {
	sts := &scripted{answers: []answer{{takes: time.Hour}, {life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		if _, err := b.Session(t.Context(), "logs"); err == nil {
			t.Fatal("got a session from a source that hangs")
		}
		time.Sleep(time.Minute)
		if _, err := b.Session(t.Context(), "logs"); err != nil {
			t.Errorf("after the hang: %v", err)
		}
	})
}

func TestPanicOfTheSourceIsAnError(t *testing.T) {
	sts := &scripted{answers: []answer{{panic: true}, {life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(time.Minute)
		if _, err := b.Session(t.Context(), "logs"); err != nil {
			t.Errorf("after the panic: %v", err)
		}
	})
}

func TestWorseAnswerNeverReplacesASession(t *testing.T) {
	for name, bad := range map[string]answer{
		"empty answer":            {empty: true},
		"seconds of life":         {life: 30 * time.Second},
		"already expired":         {life: -time.Minute},
		"ends before the present": {life: 5 * time.Minute},
		"refused":                 {err: apiError{"AccessDenied"}},
		"throttled":               {err: apiError{"Throttling"}},
	} {
		t.Run(name, func(t *testing.T) {
			sts := &scripted{answers: []answer{{life: time.Hour}, bad}}
			running(t, sts, func(t *testing.T, b *Broker) {
				time.Sleep(45 * time.Minute)
				s, err := b.Session(t.Context(), "logs")
				if err != nil {
					t.Fatal(err)
				}
				if s.AccessKeyID != "ASIA0001" {
					t.Errorf("the good session was replaced by %s", s.AccessKeyID)
				}
				if st := b.Statuses()[0]; st.LastError == "" || st.STSCalls < 2 {
					t.Errorf("the failure is not to be seen: %+v", st)
				}
			})
		})
	}
}

func TestExpiredSessionIsNeverServed(t *testing.T) {
	sts := &scripted{answers: []answer{{life: 20 * time.Minute}, {err: errors.New("down")}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		for range 100 {
			time.Sleep(17 * time.Second)
			s, err := b.Session(t.Context(), "logs")
			if err == nil && !s.Expires.After(time.Now()) {
				t.Fatalf("served a session that ended %s ago", time.Since(s.Expires))
			}
		}
	})
}

func TestInvalidate(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		s, err := b.Session(t.Context(), "logs")
		if err != nil {
			t.Fatal(err)
		}
		b.Invalidate("logs", "ASIA9999") // a key that was replaced long ago
		synctest.Wait()
		if n := sts.count(); n != 1 {
			t.Fatalf("a stale key caused a refresh: %d calls", n)
		}
		b.Invalidate("logs", s.AccessKeyID)
		next, err := b.AwaitReplacement(t.Context(), "logs", s.AccessKeyID)
		if err != nil || next.AccessKeyID == s.AccessKeyID {
			t.Fatalf("Replaced: %v, %v", next, err)
		}
		for range 50 { // a server that rejects every key must not cause a storm of STS calls
			cur, _ := b.Session(t.Context(), "logs")
			b.Invalidate("logs", cur.AccessKeyID)
			synctest.Wait()
		}
		if n := sts.count(); n > 3 {
			t.Errorf("50 invalidations at once caused %d calls", n)
		}
	})
}

func TestRefreshOnDemandIgnoresTheBackoffAndKeepsAGoodSession(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}, {err: apiError{"AccessDenied"}}, {err: apiError{"AccessDenied"}}, {life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		for range 2 {
			if _, err := b.Refresh(t.Context(), "logs"); err == nil {
				t.Fatal("a refused refresh was reported as done")
			}
		}
		if _, err := b.Session(t.Context(), "logs"); err != nil {
			t.Errorf("the good session is gone: %v", err)
		}
		st, err := b.Refresh(t.Context(), "logs")
		if err != nil || st.Generation != 2 || st.LastError != "" {
			t.Errorf("Refresh: %+v, %v", st, err)
		}
	})
}

func TestSameRequestSharesOneSession(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	synctest.Test(t, func(t *testing.T) {
		other := destination("audit")
		other.Session.ExternalID = "tenant-b"
		b := brokerOver(t, sts, destination("logs"), destination("metrics"), other)
		defer b.stop()
		for _, d := range []string{"logs", "metrics", "audit", "logs"} {
			if _, err := b.Session(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
		if n := sts.count(); n != 2 {
			t.Errorf("%d calls for two different requests", n)
		}
	})
}

func TestVendedSessionIsThePeersOwnAndLongEnough(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		defer b.stop()
		one, err := b.Vend(t.Context(), "logs", Peer{UID: 1000})
		if err != nil {
			t.Fatal(err)
		}
		two, err := b.Vend(t.Context(), "logs", Peer{UID: 1001})
		if err != nil {
			t.Fatal(err)
		}
		if one.AssumedRoleARN == two.AssumedRoleARN {
			t.Errorf("two peers share the identity %s", one.AssumedRoleARN)
		}
		for range 120 {
			time.Sleep(time.Minute)
			s, err := b.Vend(t.Context(), "logs", Peer{UID: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(s.Expires); left < vendedLife {
				t.Fatalf("handed out a session with %s left", left)
			}
			if s.AssumedRoleARN != one.AssumedRoleARN {
				t.Fatalf("the session's name changed from %s to %s", one.AssumedRoleARN, s.AssumedRoleARN)
			}
		}
	})
}

func TestSourceCredentialsAreNeverHandedOut(t *testing.T) {
	bare := destination("logs")
	bare.Role = ""
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts, bare)
		defer b.stop()
		if s, err := b.Vend(t.Context(), "logs", Peer{UID: 1000}); err == nil {
			t.Errorf("handed out %s", s.AccessKeyID)
		}
		if sts.count() != 0 {
			t.Error("they were even fetched")
		}
	})
}

func TestUnknownDestination(t *testing.T) {
	b := brokerOver(t, &scripted{answers: []answer{{life: time.Hour}}})
	defer b.stop()
	if _, err := b.Session(t.Context(), "nowhere"); !errors.Is(err, ErrUnknownDestination) {
		t.Errorf("got %v", err)
	}
}

func TestStopEndsAllFlights(t *testing.T) {
	sts := &scripted{answers: []answer{{takes: time.Hour}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil { // the bubble fails when a goroutine is left
			t.Error(err)
		}
		if _, err := b.Session(t.Context(), "logs"); err == nil {
			t.Error("got a session from a broker that has stopped")
		}
	})
}

// The watchdog reads the heartbeat: it must continue while STS hangs, and stop with the
// scheduler.
func TestHeartbeatGoesOnWhileSTSHangs(t *testing.T) {
	sts := &scripted{answers: []answer{{takes: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(10 * time.Minute)
		if age := time.Since(b.Heartbeat()); age > 2*maxSleep {
			t.Errorf("the last beat is %s old", age)
		}
	})
}
