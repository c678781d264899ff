package quota

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// filler fills a loan at a speed, in bytes a second, until it is full or called back.
type filler struct {
	loan *Loan
	back atomic.Bool
}

// borrow borrows n, and fills it at speed. A loan that was called back is closed.
func borrow(t *testing.T, p *Pool, party Party, n, speed int64) *filler {
	t.Helper()
	f := &filler{}
	called := make(chan struct{})
	l, err := p.Borrow(t.Context(), party, n, func(error) { f.back.Store(true); close(called) })
	if err != nil {
		if t.Context().Err() == nil { // else the test has ended
			t.Errorf("borrowing: %v", err)
		}
		return f
	}
	f.loan = l
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for done := int64(0); done < n; {
			select {
			case <-tick.C:
				done += speed / 10
				l.Filled(done)
			case <-called:
				l.Close()
				return
			case <-t.Context().Done():
				l.Close()
				return
			}
		}
		l.Full()
		time.Sleep(100 * time.Millisecond) // it is sent
		l.Close()
	}()
	return f
}

const mib = 1 << 20

func TestSlowLoansOfOneUserLeaveRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(36 * mib)
		for range 3 {
			borrow(t, p, Party{UID: 1}, 8*mib, 1)
		}
		go borrow(t, p, Party{UID: 1}, 8*mib, 1) // a fourth waits: its user holds three quarters
		synctest.Wait()
		began := time.Now()
		borrow(t, p, Party{UID: 2}, 8*mib, 8*mib)
		if took := time.Since(began); took != 0 {
			t.Errorf("the other user waited %s, want not at all", took)
		}
	})
}

func TestASlowLoanIsCalledBackWhileAnotherUserWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(36 * mib)
		slow := []*filler{borrow(t, p, Party{UID: 1}, 8*mib, 10), borrow(t, p, Party{UID: 1}, 8*mib, 5), borrow(t, p, Party{UID: 1}, 8*mib, 10)}
		other := borrow(t, p, Party{UID: 3}, 8*mib, 40<<10)
		time.Sleep(5 * time.Second)
		for i, f := range append(slow, other) {
			if f.back.Load() {
				t.Errorf("loan %d was called back while no user waited", i)
			}
		}
		began := time.Now()
		borrow(t, p, Party{UID: 2}, 8*mib, 8*mib)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the other user waited %s, want at most 2s", took)
		}
		if !slow[1].back.Load() || slow[0].back.Load() || slow[2].back.Load() || other.back.Load() {
			t.Error("want the slowest loan called back, and no other")
		}
		if got := p.Usage().CalledBack; got != 1 {
			t.Errorf("got %d loans called back, want 1", got)
		}
	})
}

func TestTheLeastSpeedGrowsWithTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(32 * mib)
		for uid := range uint32(4) {
			borrow(t, p, Party{UID: uid + 10}, 8*mib, 200<<10) // 40 seconds each
		}
		began := time.Now()
		borrow(t, p, Party{UID: 2}, 8*mib, 8*mib)
		if took := time.Since(began); took < 3*time.Second || took > 5*time.Second {
			t.Errorf("the user waited %s, want 4s: 64 KiB/s times four exceeds 200 KiB/s", took)
		}
	})
}

func TestOwnLoansAreNotCalledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(32 * mib)
		var all []*filler
		for range 3 {
			all = append(all, borrow(t, p, Party{UID: 1}, 8*mib, 80<<10))
		}
		borrow(t, p, Party{UID: 1}, 8*mib, 8*mib) // waits until one is full
		for i, f := range all {
			if f.back.Load() {
				t.Errorf("loan %d of the waiting user was called back", i)
			}
		}
	})
}

func TestFullLoansAreNotCalledBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(16 * mib)
		back := false
		held, err := p.Borrow(t.Context(), Party{UID: 1}, 12*mib, func(error) { back = true })
		if err != nil {
			t.Fatal(err)
		}
		held.Full()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := p.Borrow(ctx, Party{UID: 2}, 8*mib, nil); !errors.Is(err, context.DeadlineExceeded) || back {
			t.Errorf("got %v, called back %t; a part that is being sent stays", err, back)
		}
		held.Close()
		held.Close()
		if u := p.Usage(); u.Used != 0 || u.Waiting != 0 {
			t.Errorf("got %+v after the release", u)
		}
	})
}

func TestTheUserWhoHoldsLeastIsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(16 * mib)
		big, err := p.Borrow(t.Context(), Party{UID: 1}, 4*mib, nil)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := p.Borrow(t.Context(), Party{UID: 9}, 12*mib, nil)
		if err != nil {
			t.Fatal(err)
		}
		big.Full()
		rest.Full()
		order := make(chan uint32, 2)
		for _, uid := range []uint32{1, 2} { // 1 asks first
			go func() {
				if l, err := p.Borrow(t.Context(), Party{UID: uid}, 8*mib, nil); err == nil {
					order <- uid
					l.Full()
					l.Close()
				}
			}()
			synctest.Wait()
		}
		rest.Close()
		if first := <-order; first != 2 {
			t.Errorf("user %d was served first, want 2, who holds nothing", first)
		}
		<-order
		big.Close()
	})
}

func TestASoleUserMayBorrowAll(t *testing.T) {
	p := NewPool(32 * mib)
	p.SetParties(1)
	for range 4 {
		l, err := p.Borrow(t.Context(), Party{UID: 1}, 8*mib, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}
