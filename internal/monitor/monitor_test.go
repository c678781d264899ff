package monitor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/brokerd/brokerd/internal/verify/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// post is a monitor under test, with a record of its calls.
type post struct {
	*Monitor
	mu     sync.Mutex
	calls  []time.Time
	names  []string
	told   []string // changes
	ended  int
	answer func(destination string) (report.Report, error)
}

func reportOf(results ...report.Result) report.Report {
	var r report.Report
	for i, res := range results {
		r.Checks = append(r.Checks, report.Check{Code: fmt.Sprintf("BRK-X-%03d", i), Result: res})
	}
	return r
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{answer: func(string) (report.Report, error) { return reportOf(report.Pass), nil }}
	var err error
	p.Monitor, err = New(Options{
		Rand: rand.New(rand.NewPCG(1, 2)),
		Verify: func(_ context.Context, d string) (report.Report, error) {
			p.mu.Lock()
			p.calls, p.names = append(p.calls, time.Now()), append(p.names, d)
			answer := p.answer
			p.mu.Unlock()
			return answer(d)
		},
		Changed: func(before, after State) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.told = append(p.told, fmt.Sprintf("%s: %s -> %s %s", after.Destination, before.Result, after.Result, after.Code()))
		},
		Ended: func(State) { p.mu.Lock(); defer p.mu.Unlock(); p.ended++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run runs it in a bubble until the test ends.
func (p *post) run(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// sights is a copy of that record.
type sights struct {
	calls       []time.Time
	names, told []string // names sorted
	ended       int
}

// seen returns the record once every goroutine of the bubble waits.
func (p *post) seen() sights {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return sights{slices.Clone(p.calls), slices.Sorted(slices.Values(p.names)), slices.Clone(p.told), p.ended}
}

// forget clears the names in the record.
func (p *post) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.names = nil
}

func (p *post) say(r report.Report, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = func(string) (report.Report, error) { return r, err }
}

func TestEachDestinationIsVerifiedSoonAndThenAtItsInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		began := time.Now()
		p.Adopt(15*time.Minute, []string{"a"}, nil)
		p.run(t)
		time.Sleep(soon)
		if n := len(p.seen().calls); n != 1 {
			t.Fatalf("verified %d times within %v of the start", n, soon)
		}
		time.Sleep(24 * time.Hour)
		calls := p.seen().calls
		// 96 intervals of 15 minutes, give or take a tenth.
		if n := len(calls); n < 87 || n > 107 {
			t.Errorf("verified %d times in a day", n)
		}
		different := map[time.Duration]bool{}
		for i := 1; i < len(calls); i++ {
			gap := calls[i].Sub(calls[i-1])
			different[gap] = true
			if gap < 13*time.Minute+30*time.Second || gap > 16*time.Minute+30*time.Second {
				t.Errorf("%v between two verifications", gap)
			}
		}
		if len(different) < 50 {
			t.Errorf("only %d different intervals: they are not spread", len(different))
		}
		if s := p.States()[0]; s.Result != report.Pass || s.Since.Sub(began) > soon || !s.Next.After(time.Now()) {
			t.Errorf("the state is %+v", s)
		}
	})
}

func TestOffIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		p.Adopt(0, []string{"a", "b"}, nil)
		p.run(t)
		began := time.Now()
		time.Sleep(1000 * time.Hour)
		if n := len(p.seen().calls); n != 0 {
			t.Fatalf("verified %d times", n)
		}
		for _, s := range p.States() {
			if s.Result != "" || !s.Next.IsZero() {
				t.Errorf("the state is %+v", s)
			}
		}
		p.Adopt(time.Hour, []string{"a", "b"}, nil)
		time.Sleep(soon)
		if names := p.seen().names; !slices.Equal(names, []string{"a", "b"}) {
			t.Errorf("after it was turned on, %v were verified within %v (the bubble is %v old)", names, soon, time.Since(began))
		}
		p.Adopt(0, []string{"a", "b"}, nil)
		time.Sleep(1000 * time.Hour)
		if n := len(p.seen().calls); n != 2 {
			t.Errorf("after it was turned off, %d verifications", n)
		}
	})
}

func TestOnlyChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		p.Adopt(time.Minute, []string{"a"}, nil)
		p.run(t)
		time.Sleep(10 * time.Minute)
		p.say(reportOf(report.Pass, report.Fail), nil)
		time.Sleep(10 * time.Minute)
		since := p.States()[0].Since
		p.say(reportOf(report.Fail, report.Pass), nil) // by another cause
		time.Sleep(10 * time.Minute)
		p.say(report.Report{}, errors.New("no answer"))
		time.Sleep(10 * time.Minute)
		p.say(reportOf(report.Pass), nil)
		time.Sleep(10 * time.Minute)
		got := p.seen()
		want := []string{"a:  -> pass ", "a: pass -> fail BRK-X-001", "a: fail -> fail BRK-X-000", "a: fail -> unknown ", "a: unknown -> pass "}
		if !slices.Equal(got.told, want) {
			t.Errorf("told %q, want %q", got.told, want)
		}
		if got.ended != len(got.calls) || got.ended < 45 {
			t.Errorf("%d of %d verifications were counted", got.ended, len(got.calls))
		}
		if ago := time.Since(since); ago < 39*time.Minute {
			t.Errorf("the failure is said to have begun %v ago", ago)
		}
	})
}

// A failure in a partial report counts; its passes do not.
func TestAVerificationThatDoesNotEndIsNoPass(t *testing.T) {
	for _, c := range []struct {
		name string
		r    report.Report
		want report.Result
	}{
		{"after passes", reportOf(report.Pass, report.Pass), report.Unknown},
		{"after nothing", report.Report{}, report.Unknown},
		{"after a failure", reportOf(report.Pass, report.Fail), report.Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPost(t)
				p.say(c.r, context.DeadlineExceeded)
				p.Adopt(time.Minute, []string{"a"}, nil)
				p.run(t)
				time.Sleep(soon)
				synctest.Wait()
				if got := p.States()[0]; got.Result != c.want || len(got.Problems) == 0 {
					t.Errorf("got %+v, want %s", got, c.want)
				}
			})
		})
	}
}

func TestAReloadKeepsWhatIsUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		p.Adopt(time.Hour, []string{"a", "b", "c"}, nil)
		p.run(t)
		time.Sleep(time.Minute)
		synctest.Wait()
		p.forget()
		p.Adopt(time.Hour, []string{"a", "b", "d"}, []string{"b"})
		time.Sleep(time.Minute)
		if names := p.seen().names; !slices.Equal(names, []string{"b", "d"}) {
			t.Errorf("after the reload %v were verified, want the one that changed and the new one", names)
		}
		var names []string
		for _, s := range p.States() {
			names = append(names, s.Destination)
		}
		if !slices.Equal(names, []string{"a", "b", "d"}) {
			t.Errorf("states of %v", names)
		}
	})
}

// A result for the configuration before a reload is dropped.
func TestAResultThatAReloadOvertookIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		calls := atomic.Int32{}
		p.answer = func(string) (report.Report, error) {
			if calls.Add(1) == 1 {
				time.Sleep(30 * time.Second)
				return reportOf(report.Fail), nil
			}
			return reportOf(report.Pass), nil
		}
		p.Adopt(time.Hour, []string{"a"}, nil)
		p.run(t)
		time.Sleep(15 * time.Second)
		p.Adopt(time.Hour, []string{"a"}, []string{"a"})
		time.Sleep(time.Minute)
		if told, want := p.seen().told, []string{"a:  -> pass "}; !slices.Equal(told, want) || calls.Load() != 2 {
			t.Errorf("told %q after %d verifications, want %q after 2", told, calls.Load(), want)
		}
	})
}

func TestFewAtOnceAndOneForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		var mu sync.Mutex
		now, most, each := 0, 0, map[string]int{}
		p.answer = func(d string) (report.Report, error) {
			mu.Lock()
			now++
			each[d]++
			most = max(most, now)
			if each[d] > 1 {
				t.Errorf("%s is verified twice at once", d)
			}
			mu.Unlock()
			time.Sleep(90 * time.Second) // longer than the interval
			mu.Lock()
			now--
			each[d]--
			mu.Unlock()
			return reportOf(report.Pass), nil
		}
		var names []string
		for i := range 20 {
			names = append(names, fmt.Sprintf("d%02d", i))
		}
		p.Adopt(time.Minute, names, nil)
		p.run(t)
		time.Sleep(time.Hour)
		for _, s := range p.States() {
			if s.Result != report.Pass {
				t.Errorf("%s starves: %+v", s.Destination, s)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if most != atOnce {
			t.Errorf("%d at once, want %d", most, atOnce)
		}
	})
}

func TestStoppingIsNoResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPost(t)
		ctx, stop := context.WithCancel(context.Background())
		p.o.Verify = func(ctx context.Context, _ string) (report.Report, error) {
			<-ctx.Done()
			return report.Report{}, ctx.Err()
		}
		p.Adopt(time.Minute, []string{"a"}, nil)
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if got := p.seen(); len(got.told) > 0 || got.ended > 0 {
			t.Errorf("a stop was told as %q", got.told)
		}
	})
}
