package broker

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// idleRefreshes is how many unused sessions of a variant may expire before the
// background stops refreshing it.
const idleRefreshes = 2

// entry is the session of one key: the current session, the flight that fetches the
// next one, and the last failure. Reading the current session takes no lock.
type entry struct {
	req     Request
	key     sessionKey       // of req
	base    sessionKey       // of the configured destination that it belongs to
	parent  *entry           // the role before it in a chain; nil: the source's own credentials
	limiter *priorityLimiter // of its source
	variant bool             // for a peer: not pinned by the configuration, and not refreshed when idle
	peer    string           // the variant's peer, for the log

	served      stripedCounter
	waiters     atomic.Int32
	vended      atomic.Uint64
	limiterWait atomic.Int64 // time spent waiting for the rate limiter, nanoseconds

	cur           atomic.Pointer[Session]
	used          atomic.Bool // a caller asked for the variant since its last refresh
	clamped       atomic.Bool // the duration is cut to the hour of role chaining
	policyOmitted atomic.Bool // STS finds the session policy too large, so it is omitted
	sourceChecked atomic.Bool // the identity of the source is known not to be a role
	removed       atomic.Bool // no longer configured, or evicted

	mu           sync.Mutex
	flight       *flight // nil: none
	failures     int     // in a row
	lastErr      error
	class        failureClass
	retryAt      time.Time // no attempt before; zero: any time
	stsCalls     uint64
	forceRefresh bool // replace the session, whatever its expiry
	invalid      time.Time
	cutOff       bool // a reload removed it: start no flight
	unused       int  // refreshes of an unused variant, in a row
}

// accept installs next unless the current session is better. e.mu is held.
func (e *entry) accept(next *Session, b *Broker) error {
	cur := e.cur.Load()
	now := b.clock.now()
	if !next.Expires.IsZero() {
		if left := next.Expires.Sub(now); left < criticalLife {
			return &unusableError{fmt.Sprintf("the session expires in %s; check this host's clock", left.Round(time.Second))}
		}
		if cur != nil && !cur.Expires.IsZero() && !e.forceRefresh && next.Expires.Before(cur.Expires) {
			return &unusableError{"the session expires earlier than the one in use"}
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

// remaining returns the life of the current session; zero or less without one.
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

// nextAction returns the next refresh of the entry, by the local clock; zero: none until
// the entry changes.
func (e *entry) nextAction(skew time.Duration) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.actionAt(skew)
}

// actionAt is nextAction with e.mu held.
func (e *entry) actionAt(skew time.Duration) time.Time {
	if e.flight != nil || e.removed.Load() {
		return time.Time{}
	}
	cur := e.cur.Load()
	now := time.Now().Round(0)
	if e.variant {
		// Do not refresh an idle session; its next use fetches one.
		if cur == nil || e.remaining(now.Add(skew)) <= 0 || (e.unused >= idleRefreshes && !e.used.Load()) {
			return time.Time{}
		}
	}
	var at time.Time
	switch {
	case cur == nil || e.forceRefresh:
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
