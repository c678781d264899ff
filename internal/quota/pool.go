package quota

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// leastSpeed is the speed below which a loan counts as slow, in bytes a second, after
// another share has waited for one second. It grows with that wait.
const leastSpeed = 64 << 10

// firstLook is how long a waiter waits before slow loans are called back.
const firstLook = time.Second

// ErrCalledBack is the error of a loan that was filled too slowly while others waited.
var ErrCalledBack = errors.New("the memory was given to another user, because it filled too slowly")

// Pool lends an amount of something, most often bytes of memory. Its methods may be
// called from several goroutines.
type Pool struct {
	mu      sync.Mutex // guards the fields below
	total   int64
	free    int64
	sole    bool
	held    map[share]int64
	loans   map[*Loan]struct{} // that are being filled
	waiters []*waiter          // in the order of their arrival
	back    uint64             // loans called back, since the start
}

// waiter is a call of Borrow that waits.
type waiter struct {
	share share
	n     int64
	since time.Time
	ready chan struct{} // closed when the loan is granted
}

// NewPool returns a Pool of total.
func NewPool(total int64) *Pool {
	return &Pool{total: total, free: total, held: make(map[share]int64), loans: make(map[*Loan]struct{})}
}

// SetParties says how many users and groups the configuration lets in. One alone may
// hold all.
func (p *Pool) SetParties(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sole = n <= 1
	p.grant()
}

// Loan is an amount that a party holds. Close it.
type Loan struct {
	pool  *Pool
	share share
	n     int64
	once  sync.Once
	// callBack ends the work that the loan is for.
	callBack func(error)

	filled atomic.Int64

	// Guarded by pool.mu: the last sample of filled, and whether it was called back.
	sampled     int64
	sampledTime time.Time
	speed       float64 // bytes a second between the last two samples; negative: not known
	calledBack  bool
}

// Borrow lends n to p, and waits for it until ctx ends. callBack is called at most once,
// with ErrCalledBack and from another goroutine, when the loan is filled too slowly while
// others wait; the borrower then closes the loan soon.
func (p *Pool) Borrow(ctx context.Context, party Party, n int64, callBack func(error)) (*Loan, error) {
	w := &waiter{share: party.share(), n: n, since: time.Now(), ready: make(chan struct{})}
	p.mu.Lock()
	p.waiters = append(p.waiters, w)
	p.grant()
	p.mu.Unlock()
	if err := p.await(ctx, w); err != nil {
		return nil, err
	}
	l := &Loan{pool: p, share: w.share, n: n, callBack: callBack, sampledTime: time.Now(), speed: -1}
	p.mu.Lock()
	p.loans[l] = struct{}{}
	p.mu.Unlock()
	return l, nil
}

// await returns when w has its loan. While it waits, it looks for slow loans.
func (p *Pool) await(ctx context.Context, w *waiter) error {
	select {
	case <-w.ready:
		return nil
	default:
	}
	look := time.NewTicker(firstLook)
	defer look.Stop()
	for {
		select {
		case <-w.ready:
			return nil
		case <-look.C:
			if slow := p.slowest(w, time.Now()); slow != nil {
				slow.callBack(ErrCalledBack)
			}
		case <-ctx.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			if i := slices.Index(p.waiters, w); i >= 0 {
				p.waiters = slices.Delete(p.waiters, i, i+1)
				p.grant() // w may have been in the way of others
				return ctx.Err()
			}
			return nil // granted meanwhile
		}
	}
}

// grant serves waiters, those whose share holds least first; mu is held. A waiter
// whose share holds as much as it may is passed over. Any other one that does not fit
// is not passed over, so that it is served in the end.
func (p *Pool) grant() {
	for {
		var next *waiter
		for _, w := range p.waiters {
			if p.mayHold(w) && (next == nil || p.held[w.share] < p.held[next.share]) {
				next = w
			}
		}
		if next == nil || next.n > p.free {
			return
		}
		p.waiters = slices.DeleteFunc(p.waiters, func(w *waiter) bool { return w == next })
		p.free -= next.n
		p.held[next.share] += next.n
		close(next.ready)
	}
}

// mayHold reports whether the share of w stays within three quarters; mu is held. A
// share that holds nothing may always have one loan.
func (p *Pool) mayHold(w *waiter) bool {
	held := p.held[w.share]
	return held == 0 || p.sole && w.share.alone() || held+w.n <= p.total*3/4
}

// slowest returns the loan to call back for w: the slowest of those that are filled too
// slowly, of a share that holds more than the share of w. nil: there is none.
func (p *Pool) slowest(w *waiter, now time.Time) *Loan {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mayHold(w) {
		return nil // its own share is in the way
	}
	need := leastSpeed * now.Sub(w.since).Seconds()
	var out *Loan
	for l := range p.loans {
		l.sample(now)
		if l.calledBack && l.share != w.share {
			return nil // memory is on its way
		}
		if l.share == w.share || l.speed < 0 || l.speed >= need || p.held[l.share] <= p.held[w.share] {
			continue
		}
		if out == nil || l.speed < out.speed {
			out = l
		}
	}
	if out != nil {
		out.calledBack = true
		p.back++
	}
	return out
}

// sample measures the speed of a loan, over at least half a second.
func (l *Loan) sample(now time.Time) {
	took := now.Sub(l.sampledTime)
	if took < firstLook/2 {
		return
	}
	filled := l.filled.Load()
	l.speed = float64(filled-l.sampled) / took.Seconds()
	l.sampled, l.sampledTime = filled, now
}

// Filled says how much of the loan is filled by now. A nil Loan ignores it.
func (l *Loan) Filled(n int64) {
	if l != nil {
		l.filled.Store(n)
	}
}

// Full says that no more will be filled in. The loan is not called back any more.
func (l *Loan) Full() {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	delete(l.pool.loans, l)
}

// Close gives the loan back. Later calls do nothing. A nil Loan holds nothing.
func (l *Loan) Close() {
	if l == nil {
		return
	}
	l.once.Do(func() {
		p := l.pool
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.loans, l)
		p.free += l.n
		if p.held[l.share] -= l.n; p.held[l.share] == 0 {
			delete(p.held, l.share)
		}
		p.grant()
	})
}

// PoolUsage is the state of a Pool.
type PoolUsage struct {
	Used, Total int64
	Largest     int64 // the most that one share holds
	Waiting     int
	CalledBack  uint64 // loans called back, since the start
}

// Usage returns the state of the pool.
func (p *Pool) Usage() PoolUsage {
	p.mu.Lock()
	defer p.mu.Unlock()
	u := PoolUsage{Used: p.total - p.free, Total: p.total, Waiting: len(p.waiters), CalledBack: p.back}
	for _, n := range p.held {
		u.Largest = max(u.Largest, n)
	}
	return u
}
