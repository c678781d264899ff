package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/brokerd/brokerd/internal/config"
)

// perRole responds by role; roles without an entry hang forever.
type perRole struct {
	scripted
	roles map[string]answer
	busy  map[string]int // calls in flight, by key
	worst int
	held  sync.Mutex
}

func (p *perRole) Issue(ctx context.Context, r Request, via *Session) (*Session, error) {
	p.held.Lock()
	a, known := p.roles[r.Role]
	id := fmt.Sprintf("%x", r.key())
	if p.busy == nil {
		p.busy = map[string]int{}
	}
	p.busy[id]++
	p.worst = max(p.worst, p.busy[id])
	p.held.Unlock()
	defer func() {
		p.held.Lock()
		p.busy[id]--
		p.held.Unlock()
	}()
	if !known {
		a = answer{takes: time.Hour}
	}
	one := scripted{answers: []answer{a}}
	p.mu.Lock()
	p.calls, p.vias = append(p.calls, r), append(p.vias, via)
	n := len(p.calls)
	p.mu.Unlock()
	s, err := one.Issue(ctx, r, via)
	if s != nil {
		s.AccessKeyID = fmt.Sprintf("ASIA%05d", n)
	}
	return s, err
}

// runningWith runs a broker over any issuer.
func runningWith(t *testing.T, is Issuer, fn func(t *testing.T, b *Broker), dests ...*config.Destination) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, err := newBroker(Options{Config: configured(dests...), Rand: rand.New(rand.NewPCG(7, 8))}, is)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait()
		fn(t, b)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func roleOf(name string) string { return "arn:aws:iam::111122223333:role/" + name }

func TestHungRolesHoldUpNeitherCallersNorOtherRolesForLong(t *testing.T) {
	sts := &perRole{roles: map[string]answer{roleOf("good"): {life: time.Hour}}}
	dests := []*config.Destination{elsewhere("good", "good")}
	for i := range 3 { // one fewer than workers
		dests = append(dests, elsewhere(fmt.Sprint("hung", i), fmt.Sprint("hung", i)))
	}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		for range 4 * 60 {
			time.Sleep(time.Minute)
			began := time.Now()
			s, err := b.Session(t.Context(), "good")
			if err != nil || time.Since(began) > 0 {
				t.Fatalf("%v, waited %s", err, time.Since(began))
			}
			if time.Until(s.Expires) < 19*time.Minute {
				t.Fatalf("the refresh stands behind the hung roles: %s left", time.Until(s.Expires))
			}
		}
	}, dests...)
}

func TestAtMostFourBackgroundRefreshesAtATime(t *testing.T) {
	sts := &perRole{roles: map[string]answer{}}
	var dests []*config.Destination
	for i := range 9 {
		dests = append(dests, elsewhere(fmt.Sprint("d", i), fmt.Sprint("hung", i)))
	}
	sts.roles[roleOf("hung8")] = answer{life: time.Hour}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(time.Second)
		hung := 0
		for _, r := range sts.calls {
			if r.Role != roleOf("hung8") {
				hung++
			}
		}
		if hung != workers {
			t.Errorf("%d background calls at a time, want %d", hung, workers)
		}
		// A caller does not wait for the workers.
		began := time.Now()
		if _, err := b.Session(t.Context(), "d8"); err != nil || time.Since(began) > time.Second {
			t.Errorf("a caller waited %s: %v", time.Since(began), err)
		}
	}, dests...)
}

func TestThousandDestinationsStartUnderTheLimit(t *testing.T) {
	sts := &perRole{roles: map[string]answer{}}
	var dests []*config.Destination
	for i := range 1000 {
		name := fmt.Sprint("d", i)
		dests, sts.roles[roleOf(name)] = append(dests, elsewhere(name, name)), answer{life: time.Hour}
	}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		for second := range 30 {
			if n := sts.count(); n > stsBurst+stsRate*(second+1) {
				t.Fatalf("%d calls in %d s", n, second)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(3 * time.Minute)
		if n := sts.count(); n < 1000 {
			t.Errorf("only %d of 1000 are primed after three and a half minutes", n)
		}
	}, dests...)
}

func TestIdleVariantIsLetGoOfAndPrimedAgainByItsFirstUse(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		vends := func() (n int) {
			sts.mu.Lock()
			defer sts.mu.Unlock()
			for _, r := range sts.calls {
				if strings.HasSuffix(r.SessionName, "-uid1000") {
					n++
				}
			}
			return n
		}
		if _, err := b.Vend(t.Context(), "logs", Peer{UID: 1000}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if n := vends(); n != 1+idleRefreshes {
			t.Errorf("%d calls in a day for a peer that is gone, want %d", n, 1+idleRefreshes)
		}
		if _, err := b.Vend(t.Context(), "logs", Peer{UID: 1000}); err != nil {
			t.Fatal(err)
		}
		n := vends()
		time.Sleep(45 * time.Minute)
		if vends() <= n {
			t.Error("after its return, the peer's session is not renewed in the background")
		}
		if st, _ := b.Status("logs"); st.STSCalls < 30 {
			t.Errorf("the configured destination was let go of, too: %d calls in a day", st.STSCalls)
		}
	})
}

func TestEvictedVariantsAreForgotten(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		for uid := range uint32(variantCache + 50) {
			if _, err := b.Vend(t.Context(), "logs", Peer{UID: uid}); err != nil {
				t.Fatal(err)
			}
			if uid%20 == 0 { // a busy one is never the oldest
				if _, err := b.Vend(t.Context(), "logs", Peer{UID: 0}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if n := b.variants.Len(); n != variantCache {
			t.Errorf("%d variants are held, want %d", n, variantCache)
		}
		if n := len(b.queue.entries()); n > variantCache+1 {
			t.Errorf("%d sessions are in the queue", n)
		}
		n := sts.count()
		if _, err := b.Vend(t.Context(), "logs", Peer{UID: 0}); err != nil || sts.count() != n {
			t.Errorf("the busiest peer's session was evicted (%v)", err)
		}
	})
}

func TestWrongClockIsCorrectedByTheAnswersOfSTS(t *testing.T) {
	for name, ahead := range map[string]time.Duration{
		"local clock two hours behind": 2 * time.Hour, "local clock two hours ahead": -2 * time.Hour, "local clock right": 0,
	} {
		t.Run(name, func(t *testing.T) {
			sts := &scripted{ahead: ahead, answers: []answer{{life: time.Hour}, {err: errors.New("down")}}}
			running(t, sts, func(t *testing.T, b *Broker) {
				for minute := range 59 {
					if _, err := b.Session(t.Context(), "logs"); err != nil {
						t.Fatalf("a session that AWS takes was not served: %v", err)
					}
					if n := sts.count(); (minute < 35 && n != 1) || (minute > 41 && n == 1) {
						t.Fatalf("%d calls after %d minutes: the schedule follows the wrong clock", n, minute)
					}
					time.Sleep(time.Minute)
				}
				time.Sleep(2 * time.Minute)
				if _, err := b.Session(t.Context(), "logs"); err == nil {
					t.Error("a session that has ended by AWS's clock was served")
				}
			})
		})
	}
}

func TestClockLearns(t *testing.T) {
	var c clock
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if c.observeServerTime(now.Add(3*time.Second), now) || c.skew() != 0 {
		t.Error("a second's noise was taken for skew")
	}
	if !c.observeServerTime(now.Add(-10*time.Minute), now) || c.skew() != -10*time.Minute {
		t.Errorf("skew %s", c.skew())
	}
	if !c.wallClockJumped() || c.skew() != 0 {
		t.Error("the clock was set, and an offset that lengthens lives was kept")
	}
	c.observeServerTime(now.Add(10*time.Minute), now)
	if c.wallClockJumped() || c.skew() != 10*time.Minute {
		t.Error("an offset that shortens lives was dropped without a new measurement")
	}
	if !c.observeServerTime(now, now) || c.skew() != 0 {
		t.Error("a repaired clock is still corrected")
	}
}

// throttled is a response of STS with a Retry-After header.
func throttled(header, value string) error {
	return &awshttp.ResponseError{ResponseError: &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: &http.Response{StatusCode: 429, Header: http.Header{header: {value}}}},
		Err:      apiError{"Throttling"},
	}}
}

func TestThrottleHonoursRetryAfter(t *testing.T) {
	for header, value := range map[string]string{"X-Amz-Retry-After": "90000", "Retry-After": "90"} {
		t.Run(header, func(t *testing.T) {
			sts := &scripted{answers: []answer{{err: throttled(header, value)}, {life: time.Hour}}}
			running(t, sts, func(t *testing.T, b *Broker) {
				time.Sleep(89 * time.Second)
				if n := sts.count(); n != 1 {
					t.Fatalf("%d calls before the time that STS asked for", n)
				}
				time.Sleep(3 * time.Second)
				if _, err := b.Session(t.Context(), "logs"); err != nil {
					t.Errorf("after it: %v", err)
				}
			})
		})
	}
}

func TestRefusalWithoutASessionIsAskedAgainLessAndLess(t *testing.T) {
	sts := &scripted{answers: []answer{{err: apiError{"AccessDenied"}}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		for range 1000 { // an impatient caller
			_, err := b.Session(t.Context(), "logs")
			var be *Error
			if !errors.As(err, &be) || !be.Denied {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := sts.count(); n < 5 || n > 9 { // 1 2 4 8 16 32 60
			t.Errorf("%d calls in 100 s, want about 7", n)
		}
	})
}

func TestSourceThatHasEndedIsReadAnewOnce(t *testing.T) {
	for _, code := range []string{"ExpiredToken", "InvalidClientTokenId"} {
		sts := &scripted{answers: []answer{{err: apiError{code}}, {life: time.Hour}, {err: apiError{code}}}}
		running(t, sts, func(t *testing.T, b *Broker) {
			if _, err := b.Session(t.Context(), "logs"); err != nil {
				t.Errorf("%s: %v", code, err)
			}
			if sts.forgot != 1 || sts.count() != 2 {
				t.Errorf("%s: the source was dropped %d times in %d calls", code, sts.forgot, sts.count())
			}
			if _, err := b.Refresh(t.Context(), "logs"); err == nil || sts.count() != 4 {
				t.Errorf("%s: a source that stays bad: %v after %d calls", code, err, sts.count())
			}
		})
	}
}

// A caller that found no session, and a scheduler that found one due, may take the lock
// after a flight has ended. They must not start a second one.
func TestLateComersNeedNoFlight(t *testing.T) {
	sts := &perRole{roles: map[string]answer{roleOf("leaf"): {life: time.Hour}}}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(time.Second)
		e := b.set.Load().targets["leaf"].entry
		for range 3 {
			f, started, err := b.join(e, func() bool { return e.remaining(b.clock.now()) < criticalLife }, nil)
			if f != nil || started || err != nil {
				t.Fatalf("a flight for a session that has an hour left: %v, %v, %v", f, started, err)
			}
		}
		if n := sts.callsOf("leaf"); n != 1 {
			t.Errorf("%d calls", n)
		}
		if _, err := b.Refresh(t.Context(), "leaf"); err != nil || sts.callsOf("leaf") != 2 {
			t.Errorf("an operator's refresh: %v, %d calls", err, sts.callsOf("leaf"))
		}
	}, elsewhere("leaf", "leaf"))
}
