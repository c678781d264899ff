package spool

import (
	"math/rand/v2"
	"time"
)

// window limits the deliveries in flight to one destination. The limit grows by one
// after each window of successes, and halves when the store throttles.
type window struct {
	limit, most int
	good        int
	epoch       int // counts the halvings
}

func (w *window) resize(most int) {
	if w.most == 0 || w.limit > most {
		w.limit = most
	}
	w.most = most
}

func (w *window) size() int { return w.limit }

func (w *window) success() {
	w.good++
	if w.good >= w.limit {
		w.good = 0
		w.limit = min(w.limit+1, w.most)
	}
}

// throttled halves the limit, once for all deliveries that began under one limit.
func (w *window) throttled(epoch int) {
	if epoch != w.epoch {
		return
	}
	w.epoch++
	w.good = 0
	w.limit = max(w.limit/2, 1)
}

const (
	retryBase  = 500 * time.Millisecond
	probeBase  = time.Second
	maxBackoff = 5 * time.Minute
)

// backoff returns the wait after the n-th failure: base, doubled with each failure,
// up to maxBackoff. The upper half of the wait is random.
func backoff(n int, base time.Duration, r *rand.Rand) time.Duration {
	d := maxBackoff
	if shift := max(n, 1) - 1; shift < 20 {
		d = min(base<<shift, maxBackoff)
	}
	return d/2 + time.Duration(r.Int64N(int64(d/2)+1))
}
