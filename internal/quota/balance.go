package quota

import (
	"sync"
	"time"
)

// Balances are credits of shares: what a share spends comes back with time, and with what
// it earns. Its methods may be called from several goroutines.
type Balances struct {
	most, each float64 // the largest balance, and the gain of a second
	of         *recent[share, *Balance]
}

// Balance is the credit of one share.
type Balance struct {
	most, each float64

	mu   sync.Mutex
	left float64
	last time.Time
}

// NewBalances returns balances that begin at most, and gain each a second up to most.
func NewBalances(most, each int) *Balances {
	return &Balances{float64(most), float64(each), newRecent[share, *Balance](rememberedShares)}
}

// Of returns the balance of the party's share.
func (b *Balances) Of(p Party) *Balance {
	return b.of.get(p.share(), func() *Balance { return &Balance{most: b.most, each: b.each, left: b.most, last: time.Now()} })
}

// Spend takes n, and reports whether the balance allowed it.
func (b *Balance) Spend(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gain(0)
	if b.left < float64(n) {
		return false
	}
	b.left -= float64(n)
	return true
}

// Earn gives n back. A nil Balance ignores it.
func (b *Balance) Earn(n int) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gain(float64(n))
}

// gain adds n and the gain of the time since the last call; mu is held.
func (b *Balance) gain(n float64) {
	now := time.Now()
	b.left = min(b.most, b.left+n+b.each*now.Sub(b.last).Seconds())
	b.last = now
}
