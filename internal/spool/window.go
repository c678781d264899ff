package spool

import (
	"math/rand/v2"
	"time"
)

// window is how many deliveries to a destination are in flight at most: one more
// after each window of successes, half as many when the store asks for less.
type window struct {
	limit, most int
	good        int
	epoch       int // counts the cuts
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

// throttled halves the window, once for all deliveries that were begun under it.
func (w *window) throttled(epoch int) {
	if epoch != w.epoch {
		return
	}
	w.epoch++
	w.good = 0
	w.limit = max(w.limit/2, 1)
}

const (
	retryBase = 500 * time.Millisecond
	probeBase = time.Second
	backoffOf = 5 * time.Minute // the longest wait of our own
)

// backoff is the wait after the n-th failure: base, doubled each time, up to five
// minutes, of which the upper half is chance.
func backoff(n int, base time.Duration, r *rand.Rand) time.Duration {
	d := backoffOf
	if shift := max(n, 1) - 1; shift < 20 {
		d = min(base<<shift, backoffOf)
	}
	return d/2 + time.Duration(r.Int64N(int64(d/2)+1))
}
