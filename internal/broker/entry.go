package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// flightTimeout bounds one refresh with all the SDK's attempts: a source that
// hangs must free the slot.
const flightTimeout = 15 * time.Second

// entry is the session of one key: the present one, the flight that fetches the
// next, and what failed last. Reading the present session takes no lock.
type entry struct {
	req  request
	base sessionKey // of the configured destination that it belongs to, or is a variant of
	cur  atomic.Pointer[Session]

	mu       sync.Mutex
	flight   *flight // nil: none under way
	failures int     // in a row
	lastErr  error
	class    failureClass
	retryAt  time.Time // no attempt before; zero: any time
	stsCalls uint64
	wanted   bool // an Invalidate asked for a replacement, whatever its expiry
	invalid  time.Time
}

// flight is one refresh. done is closed when err is final.
type flight struct {
	done chan struct{}
	err  error
}

// join returns the flight under way, or starts one when the backoff allows it.
// It returns the last error instead when it does not. force ignores the backoff:
// an operator asked.
func (b *Broker) join(e *entry, force bool) (*flight, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return e.flight, nil
	}
	now := time.Now().Round(0)
	if !force && e.lastErr != nil && now.Before(e.retryAt) {
		return nil, e.lastErr
	}
	f := &flight{done: make(chan struct{})}
	if !b.launch(func() { b.fly(e, f) }) {
		return nil, errStopped
	}
	e.flight = f
	return f, nil
}

// launch runs fn in a goroutine that stop waits for; false once stopped.
func (b *Broker) launch(fn func()) bool {
	b.stopMu.Lock()
	defer b.stopMu.Unlock()
	if b.stopped {
		return false
	}
	b.flights.Go(fn)
	return true
}

var errStopped = errors.New("the daemon is stopping")

// fly runs detached from every caller's context, under the broker's own.
func (b *Broker) fly(e *entry, f *flight) {
	ctx, cancel := context.WithTimeout(b.flightCtx, flightTimeout)
	defer cancel()
	started := time.Now()
	next, err := b.issue(ctx, e)

	e.mu.Lock()
	e.stsCalls++
	if err == nil {
		err = e.accept(next, b)
	}
	if err != nil {
		e.failures++
		e.lastErr, e.class = err, classify(err)
		e.retryAt = time.Now().Round(0).Add(retryDelay(e.class, e.failures, e.remaining(), b.rng))
	} else {
		e.failures, e.lastErr, e.retryAt, e.wanted = 0, nil, time.Time{}, false
	}
	e.flight = nil
	e.mu.Unlock()

	f.err = err
	close(f.done)
	b.observe(e, err, time.Since(started))
	b.wake()
}

// issue turns a panic of a source into an error, so that the slot is freed.
func (b *Broker) issue(ctx context.Context, e *entry) (s *Session, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the credential source panicked: %v", p)
		}
	}()
	if err := b.limiter.Wait(ctx); err != nil {
		return nil, fmt.Errorf("waiting for a turn to call STS: %w", err)
	}
	return b.issuer.Issue(ctx, e.req)
}

// accept installs next unless that would make things worse. e.mu is held.
func (e *entry) accept(next *Session, b *Broker) error {
	cur := e.cur.Load()
	now := time.Now().Round(0)
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
	if !s.Expires.IsZero() {
		s.RefreshAt = refreshAt(s.Issued.Round(0), s.Expires, b.rng)
	}
	e.cur.Store(&s)
	return nil
}

// remaining is the life of the present session; zero or less when there is none.
func (e *entry) remaining() time.Duration {
	cur := e.cur.Load()
	switch {
	case cur == nil:
		return 0
	case cur.Expires.IsZero():
		return time.Hour
	default:
		return cur.Expires.Sub(time.Now().Round(0))
	}
}

// nextAction says when the scheduler has to look at the entry; zero: not until something changes.
func (e *entry) nextAction() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return time.Time{}
	}
	cur := e.cur.Load()
	var at time.Time
	switch {
	case cur == nil || e.wanted:
		at = time.Now().Round(0)
	case cur.RefreshAt.IsZero():
		return time.Time{}
	default:
		at = cur.RefreshAt
	}
	if e.retryAt.After(at) {
		at = e.retryAt
	}
	return at
}
