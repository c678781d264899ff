package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/goleak"

	"github.com/brokerd/brokerd/internal/secret"
)

// pitfalls are known mistakes of credential brokers, each with the test that fails when
// this broker makes it. A test of another package is named with its folder.
var pitfalls = []struct{ mistake, provedBy string }{
	{"1 the key omits a field of the request", "TestKeyCoversEveryField"},
	{"2 the first caller's context poisons waiters", "TestOneCallersCancelDoesNotFailAnother"},
	{"3 a single flight without a deadline hangs forever", "TestHungSourceFreesTheSlot"},
	{"4 a failure that is not shared becomes a stampede", "TestFailureIsSharedByAllWaiters"},
	{"5 evicting first and fetching then loses valid keys", "TestValidSessionIsServedThroughAnOutage"},
	{"6 a failed refresh overwrites good keys", "TestWorseAnswerNeverReplacesASession"},
	{"7 a made-up expiration", "TestExpirationIsNeverRewritten"},
	{"8 no lead when the life is short", "TestRefreshLeavesALead"},
	{"9 jitter rolled at each tick", "TestJitterIsRolledOncePerSession"},
	{"10 a backoff longer than the lead", "TestRetryDelays"},
	{"11 one slow role stalls a serial sweep", "TestHungRolesHoldUpNeitherCallersNorOtherRolesForLong"},
	{"12 two turns spent for one call", "TestCallsAreFiveASecondAfterABurstOfThirty"},
	{"13 an LRU whose reads do not count", "TestEvictedVariantsAreForgotten"},
	{"14 notifications dropped on a full channel", "TestNoWakeUpIsLost"},
	{"15 handing out less than 15 minutes", "TestVendedSessionIsThePeersOwnAndLongEnough"},
	{"16 a session name that changes with each refresh", "TestSessionNameStaysTheSame"},
	{"17 more than an hour for a chained role", "TestRefusalForChainingCutsTheDuration"},
	{"18 timers across a suspend", "TestExpiryIsComparedByTheWallClock"},
	{"19 relying on a process id", "internal/access TestDecide"},
	{"20 refreshing for the dead", "TestIdleVariantIsLetGoOfAndPrimedAgainByItsFirstUse"},
	{"21 secrets in logs and errors", "TestOutputOfACredentialProcessIsNeverQuoted"},
	{"22 tokens compared with ==", "internal/vend TestWhatIsNotAnSDKIsRefusedBeforeAnybodyIsAsked"},
	{"23 a role taken from the caller", "TestUnknownDestination"},
	{"24 health that is always ok, or restarts in an outage", "internal/rpc TestFailureOfAWSReachesTheClientAndTheHealth"},
	{"24 the same: liveness", "TestHeartbeatGoesOnWhileSTSHangs"},
	{"25 torn reads", "TestReadersNeverSeeHalfASession"},
	{"26 copies of the SDK's assuming provider", "TestNoProviderOfTheSDKAssumesARole"},
	{"27 two layers of retries that multiply", "TestOnlyTheSDKRetriesWithinAFlight"},
	{"28 a backoff that is not reset", "TestBackoffBeginsAnewAfterASuccess"},
	{"29 a panic ends the process", "TestPanicOfTheSourceIsAnError"},
	{"30 the unlinking of a live socket", "internal/unixsock TestListenRefusesALiveSocket"},
	{"31 a wrong clock", "TestWrongClockIsCorrectedByTheAnswersOfSTS"},
	{"32 the SDK's cache picks what to do on failure by type", "TestCacheOfTheSDKCannotRewriteAnExpiry"},
}

func TestEveryPitfallHasItsTest(t *testing.T) {
	for _, p := range pitfalls {
		dir, name, other := strings.Cut(p.provedBy, " ")
		if !other {
			dir, name = "internal/broker", p.provedBy
		}
		files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no tests in %s: %v", p.mistake, dir, err)
		}
		found := false
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || strings.Contains(string(text), "\nfunc "+name+"(t *testing.T) {")
		}
		if !found {
			t.Errorf("%s: there is no %s in %s", p.mistake, name, dir)
		}
	}
}

func TestExpirationIsNeverRewritten(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}, {err: errors.New("down")}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		end := b.Statuses()[0].Expires
		for range 70 {
			time.Sleep(time.Minute)
			if got := b.Statuses()[0].Expires; !got.Equal(end) {
				t.Fatalf("the expiry moved from %s to %s", end, got)
			}
		}
	})
}

func TestJitterIsRolledOncePerSession(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		due := b.Statuses()[0].RefreshAt
		for time.Now().Before(due.Add(-time.Second)) {
			if got := b.Statuses()[0].RefreshAt; !got.Equal(due) {
				t.Fatalf("the refresh moved from %s to %s", due, got)
			}
			time.Sleep(maxSleep)
		}
		time.Sleep(maxSleep + 2*time.Second)
		if n := sts.count(); n != 2 {
			t.Errorf("%d calls just after the time that was set", n)
		}
	})
}

func TestNoWakeUpIsLost(t *testing.T) {
	sts := &perRole{roles: map[string]answer{}}
	names := make([]string, 40)
	for i := range names {
		names[i] = fmt.Sprint("d", i)
		sts.roles[roleOf(names[i])] = answer{life: time.Hour, takes: 100 * time.Millisecond}
	}
	synctest.Test(t, func(t *testing.T) {
		dests := configured()
		for _, n := range names {
			dests.Destinations[n] = elsewhere(n, n)
		}
		b, err := newBroker(Options{Config: dests}, sts)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		time.Sleep(time.Minute)
		for _, n := range names { // all at once, through one channel slot
			s, err := b.Session(ctx, n)
			if err != nil {
				t.Fatal(err)
			}
			b.Invalidate(n, s.AccessKeyID)
		}
		time.Sleep(20 * time.Second)
		for _, st := range b.Statuses() {
			if st.Generation != 2 {
				t.Errorf("%s is at generation %d", st.Destination, st.Generation)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestSessionNameStaysTheSame(t *testing.T) {
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(24 * time.Hour)
		sts.mu.Lock()
		defer sts.mu.Unlock()
		if len(sts.calls) < 30 {
			t.Fatalf("%d calls in a day", len(sts.calls))
		}
		for _, r := range sts.calls {
			if r.SessionName != "brokerd-logs" {
				t.Fatalf("a session was named %q", r.SessionName)
			}
		}
	})
}

func TestExpiryIsComparedByTheWallClock(t *testing.T) {
	var c clock
	if text := c.now().String(); strings.Contains(text, "m=") {
		t.Errorf("%s has a monotonic part: it stands still during a suspend", text)
	}
	now := time.Now()
	if d := jump(now.Add(-time.Hour), now); d != 0 {
		t.Errorf("an hour that passed counts as a step of %s", d)
	}
	if maxSleep > 5*time.Second {
		t.Errorf("a suspend goes unnoticed for %s", maxSleep)
	}
}

// paired is an STS whose keys carry a number, so that a mixed session is found.
type paired struct{ scripted }

func (p *paired) Issue(ctx context.Context, r Request, via *Session) (*Session, error) {
	s, err := p.scripted.Issue(ctx, r, via)
	if err == nil {
		s.SecretAccessKey, s.SessionToken = secret.New("secret of "+s.AccessKeyID), secret.New("token of "+s.AccessKeyID)
	}
	return s, err
}

func TestReadersNeverSeeHalfASession(t *testing.T) {
	sts := &paired{scripted{answers: []answer{{life: time.Hour}}}}
	runningWith(t, sts, func(t *testing.T, b *Broker) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 300 {
					c, err := b.Credentials("logs").Retrieve(t.Context())
					if err != nil || c.SecretAccessKey != "secret of "+c.AccessKeyID || c.SessionToken != "token of "+c.AccessKeyID {
						t.Errorf("%s goes with another's secret (%v)", c.AccessKeyID, err)
						return
					}
				}
			})
		}
		for range 50 {
			if _, err := b.Refresh(t.Context(), "logs"); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
	}, destination("logs"))
}

func TestNoProviderOfTheSDKAssumesARole(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "credentials/"+"stscreds") {
			t.Errorf("%s: its Retrieve writes to its own options, without a lock", f)
		}
	}
}

func TestBackoffBeginsAnewAfterASuccess(t *testing.T) {
	down := answer{err: errors.New("down")}
	sts := &scripted{answers: []answer{down, down, down, down, down, down, down, down, {life: 15 * time.Minute}, down, {life: time.Hour}}}
	running(t, sts, func(t *testing.T, b *Broker) {
		time.Sleep(3 * time.Minute) // eight failures, then a session
		if n := sts.count(); n != 9 {
			t.Fatalf("%d calls", n)
		}
		for sts.count() == 9 {
			time.Sleep(time.Second)
		}
		time.Sleep(4 * time.Second) // one failure: the next attempt is 1 to 3 s away
		if n := sts.count(); n != 11 {
			t.Errorf("%d calls: the backoff of the last outage goes on", n)
		}
	})
}

// rewriting is a provider that extends the expiry when it fails, as that of IMDS does.
type rewriting struct{ failing bool }

func (r *rewriting) Retrieve(context.Context) (aws.Credentials, error) {
	if r.failing {
		return aws.Credentials{}, errors.New("no answer")
	}
	return aws.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "x", CanExpire: true, Expires: time.Now().Add(time.Hour)}, nil
}

func (r *rewriting) HandleFailToRefresh(_ context.Context, c aws.Credentials, _ error) (aws.Credentials, error) {
	c.Expires = time.Now().Add(time.Hour)
	return c, nil
}

func TestCacheOfTheSDKCannotRewriteAnExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &rewriting{}
		if _, extends := any(inner).(aws.HandleFailRefreshCredentialsCacheStrategy); !extends {
			t.Fatal("the stand-in is not what the SDK looks for")
		}
		p := cached(inner)
		if _, err := p.Retrieve(t.Context()); err != nil {
			t.Fatal(err)
		}
		inner.failing = true
		time.Sleep(61 * time.Minute)
		if c, err := p.Retrieve(t.Context()); err == nil {
			t.Errorf("keys that have ended were given a life until %s", c.Expires)
		}
	})
}

func TestNothingIsLeftRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	sts := &scripted{answers: []answer{{life: time.Hour}}}
	b := brokerOver(t, sts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for uid := range uint32(30) {
		go func() { _, _ = b.Vend(ctx, "logs", Peer{UID: uid}) }() // more than the limiter's burst: some wait
	}
	if _, err := b.Session(ctx, "logs"); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}

func TestCachedSessionCostsNoAllocation(t *testing.T) {
	b := brokerOver(t, &scripted{answers: []answer{{life: time.Hour}}})
	defer b.stop()
	ctx := t.Context()
	if _, err := b.Session(ctx, "logs"); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = b.Session(ctx, "logs") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
