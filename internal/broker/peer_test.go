package broker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/brokerd/brokerd/internal/config"
)

// A peer's session names the peer; the daemon's own session does not.
func TestVendedSessionSaysWhosItIs(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	d := destination("logs")
	d.Session.Tags = map[string]string{"team": "audit"}
	d.Session.Peer = config.PeerSession{SourceIdentity: config.PeerUnit, Tags: map[string]string{"who": config.PeerUID, "pod": config.PeerPod}}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		if _, err := b.Session(t.Context(), "logs"); err != nil {
			t.Fatal(err)
		}
		const pod = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
		if _, err := b.Vend(t.Context(), "logs", Peer{UID: 1000, Unit: "app.service", Pod: pod}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Vend(t.Context(), "logs", Peer{UID: 1000, Unit: "other.service", Pod: pod}); err != nil {
			t.Fatal(err)
		}
		sts.mu.Lock()
		calls := sts.calls
		sts.mu.Unlock()
		if len(calls) != 3 {
			t.Fatalf("%d calls: two units of one user share a session, or the daemon shares theirs", len(calls))
		}
		if own := calls[0]; own.SourceIdentity != "" || len(own.Tags) != 1 {
			t.Errorf("the daemon's own session says %q, %v", own.SourceIdentity, own.Tags)
		}
		if diff := cmp.Diff(map[string]string{"team": "audit", "who": "uid1000", "pod": pod}, calls[1].Tags); diff != "" ||
			calls[1].SourceIdentity != "app.service" {
			t.Errorf("%q, %s", calls[1].SourceIdentity, diff)
		}
		before := sts.count()
		for name, p := range map[string]Peer{
			"unknown unit": {UID: 1, Pod: pod}, "unknown pod": {UID: 1, Unit: "app.service"},
			"a unit that STS does not take": {UID: 1, Pod: pod, Unit: `a\x2db.service`},
			"a long one":                    {UID: 1, Pod: pod, Unit: strings.Repeat("a", 60) + ".service"},
		} {
			_, err := b.Vend(t.Context(), "logs", p)
			var refused *Error
			if !errors.As(err, &refused) || !refused.Denied || !strings.Contains(err.Error(), "session.peer requires the peer's") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if sts.count() != before {
			t.Error("STS was called for a session that is refused")
		}
		if got := b.Statuses()[0].Vended; got != 2 {
			t.Errorf("%d sessions were handed out, it says", got)
		}
	}, d)
}

func TestUsesAreCountedByState(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}, {err: apiError{"ServiceUnavailable"}}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		use := func(n int) {
			for range n {
				if _, err := b.Session(t.Context(), "logs"); err != nil {
					t.Fatal(err)
				}
			}
		}
		use(5)
		time.Sleep(45 * time.Minute) // its refresh is due, and fails
		use(3)
		end := b.Statuses()[0].Expires
		time.Sleep(time.Until(end) - 20*time.Second)
		use(2)
		st := b.Statuses()[0]
		if st.ServedFresh != 5 || st.ServedDue != 3 || st.ServedCritical != 2 || st.Waiters != 0 {
			t.Errorf("fresh %d, due %d, critical %d, waiters %d", st.ServedFresh, st.ServedDue, st.ServedCritical, st.Waiters)
		}
	})
}

func TestWaitersAreCounted(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour, takes: 2 * time.Second}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		defer b.stop()
		for range 7 {
			go func() { _, _ = b.Session(t.Context(), "logs") }()
		}
		time.Sleep(time.Second)
		if n := b.Statuses()[0].Waiters; n != 7 {
			t.Errorf("%d wait, it says", n)
		}
		time.Sleep(2 * time.Second)
		if n := b.Statuses()[0].Waiters; n != 0 {
			t.Errorf("%d still wait, it says", n)
		}
	})
}

// A long session that is replaced every hour outlasts an outage of three hours.
func TestMaxAgeReplacesLongSessionsEarly(t *testing.T) {
	sts := &scripted{answers: []answer{{life: 4 * time.Hour}}}
	d := destination("logs")
	d.Session.Duration, d.Session.MaxAge = config.Duration(4*time.Hour), config.Duration(time.Hour)
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(10 * time.Second)
		st := b.Statuses()[0]
		if age := st.RefreshAt.Sub(st.Issued); age > time.Hour || age < 55*time.Minute {
			t.Errorf("it is replaced after %s", age)
		}
		time.Sleep(61 * time.Minute)
		st = b.Statuses()[0]
		if left := time.Until(st.Expires); st.Generation != 2 || left < 3*time.Hour+50*time.Minute {
			t.Errorf("generation %d with %s left", st.Generation, left)
		}
	}, d)
}

func TestStopLetsGoOfAllSecrets(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		if _, err := b.Vend(ctx, "logs", Peer{UID: 1}); err != nil {
			t.Fatal(err)
		}
		e := b.set.Load().targets["logs"].entry
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if e.cur.Load() != nil || b.variants.Len() != 0 {
			t.Error("a session is kept after the stop")
		}
	})
}

func TestRefreshOfAPeersSessionSaysWhose(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	synctest.Test(t, func(t *testing.T) {
		b, err := newBroker(Options{Config: configured(destination("logs")), Logger: zap.New(core)}, sts)
		if err != nil {
			t.Fatal(err)
		}
		defer b.stop()
		if _, err := b.Vend(t.Context(), "logs", Peer{UID: 1000}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		lines := logs.FilterMessage("session refreshed").FilterField(zap.String("peer", "uid1000")).FilterField(
			zap.Strings("destinations", []string{"logs"}),
		)
		if lines.Len() != 1 {
			t.Errorf("the log says %v", logs.All())
		}
	})
}

// A peer's first session may be refused before STS is called; a session that it has is not
// asked about again.
func TestFirstIsAskedBeforeSTS(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		before, no := sts.count(), errors.New("too many")
		asked := 0
		p := Peer{UID: 1000, First: func() error { asked++; return no }}
		if _, err := b.Vend(t.Context(), "logs", p); !errors.Is(err, no) || sts.count() != before {
			t.Errorf("got %v, and %d calls to STS; want the refusal and none", err, sts.count()-before)
		}
		no = nil
		for range 3 {
			if _, err := b.Vend(t.Context(), "logs", p); err != nil {
				t.Fatal(err)
			}
		}
		if asked != 2 {
			t.Errorf("asked %d times, want once for the refusal and once for the session", asked)
		}
	}, destination("logs"))
}
