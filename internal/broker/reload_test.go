package broker

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/config"
)

func reload(t *testing.T, b *Broker, dests ...*config.Destination) {
	t.Helper()
	change, err := b.Prepare(configured(dests...))
	if err != nil {
		t.Fatal(err)
	}
	change.Commit()
}

func elsewhere(name, role string) *config.Destination {
	d := destination(name)
	d.Role = "arn:aws:iam::111122223333:role/" + role
	return d
}

func TestReloadKeepsTheSessionsOfUnchangedRequests(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		before, err := b.Session(t.Context(), "logs")
		if err != nil {
			t.Fatal(err)
		}
		same := destination("logs")
		same.Bucket = "another-bucket" // not part of the request
		reload(t, b, same, elsewhere("audit", "audit"))
		after, err := b.Session(t.Context(), "logs")
		if err != nil || after != before {
			t.Errorf("got %v, %v; want the very session from before", after, err)
		}
		if _, err := b.Session(t.Context(), "audit"); err != nil {
			t.Errorf("the new destination: %v", err)
		}
		if n := sts.count(); n != 2 {
			t.Errorf("%d calls, want one for each role", n)
		}
	})
}

func TestReloadCutsARemovedDestinationAtOnceAlsoForThoseWhoWait(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour, takes: 5 * time.Second}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		defer b.stop()
		got := make(chan error, 1)
		go func() { _, err := b.Session(t.Context(), "logs"); got <- err }()
		vended := make(chan error, 1)
		go func() { _, err := b.Vend(t.Context(), "logs", Peer{UID: 1000}); vended <- err }()
		synctest.Wait()
		began := time.Now()
		reload(t, b, elsewhere("audit", "audit"))
		if _, err := b.Session(t.Context(), "logs"); !errors.Is(err, ErrUnknownDestination) {
			t.Errorf("after the reload: %v", err)
		}
		for who, c := range map[string]chan error{"session": got, "vend": vended} {
			if err := <-c; !errors.Is(err, ErrUnknownDestination) {
				t.Errorf("the %s that waited: %v", who, err)
			}
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("they waited another %s", waited)
		}
		if n := b.variants.Len(); n != 0 {
			t.Errorf("%d sessions of the removed destination's peers are still held", n)
		}
	})
}

func TestReloadMovesAWaiterToTheNewRequest(t *testing.T) {
	sts := &scripted{answers: []answer{{takes: 10 * time.Second, err: apiError{"AccessDenied"}}, {life: time.Hour}}}
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		defer b.stop()
		got := make(chan error, 1)
		go func() { _, err := b.Session(t.Context(), "logs"); got <- err }()
		synctest.Wait()
		reload(t, b, elsewhere("logs", "repaired"))
		if err := <-got; err != nil {
			t.Errorf("the caller saw the old request's failure: %v", err)
		}
	})
}

func TestReloadKeepsTheFlightThatIsUnderWay(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour, takes: 5 * time.Second}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		reload(t, b, destination("logs"))
		if _, err := b.Session(t.Context(), "logs"); err != nil {
			t.Fatal(err)
		}
		if n := sts.count(); n != 1 {
			t.Errorf("%d calls, want the one that was under way", n)
		}
	})
}

func TestReloadKeepsARefusalForTheSameRequestAndClearsItForAChangedOne(t *testing.T) {
	sts := &scripted{answers: []answer{{err: apiError{"AccessDenied"}}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(10 * time.Minute) // the negative cache has grown to a minute
		n := sts.count()
		reload(t, b, destination("logs"))
		synctest.Wait()
		if got := sts.count(); got != n {
			t.Fatalf("an unchanged request was tried again at once")
		}
		reload(t, b, destination("logs"), destination("metrics")) // joins the refused request
		synctest.Wait()
		if got := sts.count(); got != n+1 {
			t.Errorf("%d calls after the change, want one", got-n)
		}
	})
}

func TestReloadRefusesWhatItCannotDo(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		c := configured(elsewhere("audit", "audit"))
		c.AWS.CABundle = "/etc/ca.pem"
		if _, err := b.Prepare(c); err == nil {
			t.Error("the CA bundle cannot be changed, and nothing was said")
		}
		if _, err := b.Prepare(nil); err == nil {
			t.Error("reloaded nothing")
		}
		if _, err := b.Session(t.Context(), "logs"); err != nil {
			t.Errorf("a refused reload changed something: %v", err)
		}
	})
}

func TestReadersGoOnDuringReloads(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 500 {
					if _, err := b.Session(t.Context(), "logs"); err != nil {
						t.Error(err)
						return
					}
					_ = b.Statuses()
				}
			})
		}
		for range 50 {
			reload(t, b, destination("logs"), elsewhere("audit", "audit"))
			reload(t, b, destination("logs"))
		}
		wg.Wait()
	})
}
