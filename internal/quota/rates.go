package quota

import (
	"time"

	"golang.org/x/time/rate"
)

// rememberedShares bounds the memory of Rates and Lines. A share beyond it takes the
// place of the one that was used longest ago, which then starts again in full.
const rememberedShares = 4096

// Rates limits how often a share may do one thing. Its methods may be called from
// several goroutines.
type Rates struct {
	every    time.Duration
	burst    int
	limiters *recent[share, *rate.Limiter]
}

// NewRates returns a limit of burst at a time, and of one more each time every has passed.
func NewRates(every time.Duration, burst int) *Rates {
	return &Rates{every: every, burst: burst, limiters: newRecent[share, *rate.Limiter](rememberedShares)}
}

// Take takes one, or returns how long the party must wait before it asks again.
func (r *Rates) Take(p Party) (wait time.Duration, ok bool) {
	l := r.limiters.get(p.share(), func() *rate.Limiter { return rate.NewLimiter(rate.Every(r.every), r.burst) })
	now := time.Now()
	res := l.ReserveN(now, 1)
	if wait = res.DelayFrom(now); wait > 0 {
		res.CancelAt(now)
		return wait, false
	}
	return 0, true
}
