package broker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func always(p priority) func() priority { return func() priority { return p } }

func TestCallsAreFiveASecondAfterABurstOfThirty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newPriorityLimiter()
		began := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if err := ts.wait(t.Context(), always(priority{2, time.Hour})); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Since(began))
			})
		}
		wg.Wait()
		if at[29] != 0 || at[30] < 190*time.Millisecond {
			t.Errorf("the thirtieth came after %s, the one after it after %s", at[29], at[30])
		}
		// One wait takes one token: fifty entries are done after four seconds.
		if last := at[49]; last < 3900*time.Millisecond || last > 4200*time.Millisecond {
			t.Errorf("the fiftieth came after %s, want about 4 s", last)
		}
	})
}

func TestTheMostUrgentGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newPriorityLimiter()
		for range stsBurst {
			_ = ts.wait(t.Context(), always(priority{2, 0}))
		}
		var mu sync.Mutex
		var order []string
		var wg sync.WaitGroup
		late := priority{2, time.Hour} // becomes urgent while it waits
		for name, u := range map[string]func() priority{
			"due in an hour": always(priority{2, 59 * time.Minute}), "due in a minute": always(priority{2, 2 * time.Minute}),
			"critical": always(priority{1, 30 * time.Second}), "cold": func() priority { mu.Lock(); defer mu.Unlock(); return late },
		} {
			wg.Go(func() {
				_ = ts.wait(t.Context(), u)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
			})
		}
		synctest.Wait()
		mu.Lock()
		late = priority{0, 0}
		mu.Unlock()
		wg.Wait()
		want := []string{"cold", "critical", "due in a minute", "due in an hour"}
		for i := range want {
			if order[i] != want[i] {
				t.Fatalf("the order was %v, want %v", order, want)
			}
		}
	})
}

func TestATurnThatIsNotTakenIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newPriorityLimiter()
		for range stsBurst {
			_ = ts.wait(t.Context(), always(priority{}))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := ts.wait(ctx, always(priority{})); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the one that gave up: %v", err)
		}
		if err := ts.wait(t.Context(), always(priority{})); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 250*time.Millisecond {
			t.Errorf("the next waited %s for the turn of the one that gave up", took)
		}
	})
}
