package broker

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// idleRefreshes is how many sessions of a variant may pass unused before the
// background stops renewing it.
const idleRefreshes = 2

// entry is the session of one key: the present one, the flight that fetches the
// next, and what failed last. Reading the present session takes no lock.
type entry struct {
	req     Request
	key     sessionKey // of req
	base    sessionKey // of the configured destination that it belongs to, or is a variant of
	parent  *entry     // the role before it in a chain; nil: the source's own credentials
	turns   *turnstile // of its source
	variant bool       // not pinned by the configuration: it is let go of when nobody asks
	peer    string     // whose variant it is, for the log

	served   tally
	waiters  atomic.Int32
	vended   atomic.Uint64
	turnWait atomic.Int64 // time spent on waiting for turns to call STS, nanoseconds

	cur     atomic.Pointer[Session]
	used    atomic.Bool // a variant was asked for since its last refresh
	clamped atomic.Bool // the duration is cut to the hour of role chaining
	wide    atomic.Bool // STS found the session policy too large: it is left out
	asked   atomic.Bool // the source was asked who it is
	gone    atomic.Bool // no longer configured, or evicted

	mu       sync.Mutex
	flight   *flight // nil: none under way
	failures int     // in a row
	lastErr  error
	class    failureClass
	retryAt  time.Time // no attempt before; zero: any time
	stsCalls uint64
	wanted   bool // an Invalidate asked for a replacement, whatever its expiry
	invalid  time.Time
	cutOff   bool // a reload removed it: nothing begins any more
	unused   int  // refreshes of a variant that nobody asked for, in a row
}

// accept installs next unless that would make things worse. e.mu is held.
func (e *entry) accept(next *Session, b *Broker) error {
	cur := e.cur.Load()
	now := b.clock.now()
	if !next.Expires.IsZero() {
		if left := next.Expires.Sub(now); left < criticalLife {
			return &errTorn{fmt.Sprintf("the session ends in %s; check this host's clock", left.Round(time.Second))}
		}
		if cur != nil && !cur.Expires.IsZero() && !e.wanted && next.Expires.Before(cur.Expires) {
			return &errTorn{"the session ends earlier than the one in use"}
		}
	}
	s := *next
	s.Generation = 1
	if cur != nil {
		s.Generation = cur.Generation + 1
	}
	s.goodUntil, s.dueAt = math.MaxInt64, math.MaxInt64
	if !s.Expires.IsZero() {
		s.goodUntil = s.Expires.Add(-criticalLife).UnixNano()
		s.RefreshAt = refreshAt(s.Issued.Round(0).Add(b.clock.skew()), s.Expires, e.req.MaxAge, b.rng)
		s.dueAt = s.RefreshAt.UnixNano()
	}
	e.cur.Store(&s)
	if e.used.Swap(false) {
		e.unused = 0
	} else {
		e.unused++
	}
	return nil
}

// remaining is the life of the present session; zero or less when there is none.
func (e *entry) remaining(now time.Time) time.Duration {
	cur := e.cur.Load()
	switch {
	case cur == nil:
		return 0
	case cur.Expires.IsZero():
		return time.Hour
	default:
		return cur.Expires.Sub(now)
	}
}

// nextAction says when, by the local clock, the scheduler has to look at the
// entry; zero: not until something changes.
func (e *entry) nextAction(skew time.Duration) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.actionAt(skew)
}

// actionAt is nextAction with e.mu held.
func (e *entry) actionAt(skew time.Duration) time.Time {
	if e.flight != nil || e.gone.Load() {
		return time.Time{}
	}
	cur := e.cur.Load()
	now := time.Now().Round(0)
	if e.variant {
		// Nobody renews for the dead; the first use primes it again.
		if cur == nil || e.remaining(now.Add(skew)) <= 0 || (e.unused >= idleRefreshes && !e.used.Load()) {
			return time.Time{}
		}
	}
	var at time.Time
	switch {
	case cur == nil || e.wanted:
		at = now
	case cur.RefreshAt.IsZero():
		return time.Time{}
	default:
		at = cur.RefreshAt.Add(-skew)
	}
	if e.retryAt.After(at) {
		at = e.retryAt
	}
	return at
}
