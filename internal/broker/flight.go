package broker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

const (
	// flightTimeout is the limit of one refresh with all the SDK's attempts, after the
	// rate limiter: a source that hangs must not block later refreshes.
	flightTimeout = 15 * time.Second
	// parentLife is the least remaining life of the previous role's session in a chain.
	parentLife = 5 * time.Minute
	// chainedLife is AWS's limit for a role that is assumed by a role.
	chainedLife = time.Hour
)

var (
	errStopped = errors.New("the daemon is stopping")
	errCut     = errors.New("the destination was removed from the configuration, or changed")
)

// flight is one refresh. done is closed when err is final.
type flight struct {
	done    chan struct{}
	err     error
	ctx     context.Context // the broker's; canceled when the destination is removed
	cancel  context.CancelFunc
	awaited atomic.Bool // a caller waits
}

// need reports, with the entry's lock held, whether a flight is still needed: the
// caller checked without the lock, and a flight may have ended since. A nil need is an
// operator's request, which also ignores the backoff.
type need func() bool

// join returns the flight in progress, or starts one if the backoff allows it. If the
// backoff does not, it returns the last error; if no flight is needed, it returns
// neither. A then that is not nil is called when a new flight has ended, and not when
// an earlier one was joined.
func (b *Broker) join(e *entry, needed need, then func()) (f *flight, started bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flight != nil {
		return e.flight, false, nil
	}
	if e.cutOff {
		return nil, false, errCut
	}
	if needed != nil {
		if !needed() {
			return nil, false, nil
		}
		if e.lastErr != nil && time.Now().Round(0).Before(e.retryAt) {
			return nil, false, e.lastErr
		}
	}
	ctx, cancel := context.WithCancel(b.flightCtx)
	f = &flight{done: make(chan struct{}), ctx: ctx, cancel: cancel}
	f.awaited.Store(then == nil)
	if !b.launch(func() { b.refresh(e, f, then) }) {
		cancel()
		return nil, false, errStopped
	}
	e.flight = f
	return f, true, nil
}

// launch runs fn in a goroutine that stop waits for. It returns false after stop.
func (b *Broker) launch(fn func()) bool {
	b.stopMu.Lock()
	defer b.stopMu.Unlock()
	if b.stopped {
		return false
	}
	b.flights.Go(fn)
	return true
}

// await joins or starts a flight if one is needed, and waits until it or ctx ends.
func (b *Broker) await(ctx context.Context, e *entry, needed need) error {
	f, _, err := b.join(e, needed, nil)
	if f == nil {
		return err
	}
	f.awaited.Store(true)
	e.waiters.Add(1)
	defer e.waiters.Add(-1)
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refresh runs under the broker's context, detached from every caller's.
func (b *Broker) refresh(e *entry, f *flight, then func()) {
	started := time.Now()
	defer f.cancel()
	b.awaitPrevious(e.key, f)
	defer b.deregister(e.key, f)
	next, err := b.issue(e, f)
	if err == nil {
		b.observeServerTime(next.serverTime, next.Issued)
	} else {
		b.observeServerTime(serverTimeOf(err), time.Now())
	}

	e.mu.Lock()
	e.stsCalls++
	if err == nil {
		err = e.accept(next, b)
	}
	if err != nil {
		e.failures++
		e.lastErr, e.class = err, classify(err)
		delay := retryDelay(e.class, e.failures, e.remaining(b.clock.now()), b.rng)
		if e.class == failThrottle {
			delay = min(max(delay, retryAfter(err)), throttleCap)
		}
		e.retryAt = time.Now().Round(0).Add(delay)
	} else {
		e.failures, e.lastErr, e.retryAt, e.forceRefresh = 0, nil, time.Time{}, false
	}
	e.flight = nil
	cut := e.cutOff
	e.mu.Unlock()

	f.err = err
	close(f.done)
	if !cut {
		b.observe(e, err, time.Since(started))
	}
	if then != nil {
		then()
	}
	b.schedule(e)
}

// awaitPrevious waits for an earlier flight of the same key that a reload canceled, or
// whose entry was evicted, and that has not ended yet.
func (b *Broker) awaitPrevious(k sessionKey, f *flight) {
	b.inFlightMu.Lock()
	before := b.inFlight[k]
	b.inFlight[k] = f
	b.inFlightMu.Unlock()
	if before != nil {
		<-before.done
	}
}

func (b *Broker) deregister(k sessionKey, f *flight) {
	b.inFlightMu.Lock()
	defer b.inFlightMu.Unlock()
	if b.inFlight[k] == f {
		delete(b.inFlight, k)
	}
}

// cut cancels the entry's flight and prevents new ones.
func (e *entry) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cutOff = true
	e.removed.Store(true)
	if e.flight != nil {
		e.flight.cancel()
	}
}

// observeServerTime corrects the clock by the time that a server stated; zero: none.
func (b *Broker) observeServerTime(server, local time.Time) {
	if server.IsZero() || !b.clock.observeServerTime(server, local) {
		return
	}
	if skew := b.clock.skew(); skew.Abs() > skewWarn {
		b.log.Warn(
			"this host's clock is wrong: set it. AWS refuses signatures that are 5 to 15 minutes off. "+
				"Until then, expiries are compared with AWS's time",
			zap.Duration("aws_is_ahead_by", skew),
		)
	}
	b.scheduleAll()
}

// issue makes up to two attempts. It turns a panic of a source into an error, so that
// the flight ends.
func (b *Broker) issue(e *entry, f *flight) (s *Session, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the credential source panicked: %v", p)
		}
	}()
	for attempt := 1; ; attempt++ {
		s, err = b.attempt(e, f)
		switch {
		case err == nil || attempt > 1:
			return s, err
		case refusedForChaining(err) && !e.clamped.Load() && e.req.Duration > chainedLife:
			b.clamp(e, "STS refused a longer session for role chaining")
		case e.req.Policy != "" && tooLarge(err) && !e.policyOmitted.Swap(true):
			b.log.Warn("STS finds the session policy too large together with the tags: it is left out, and the session has all rights of its role",
				zap.String("role", e.req.Role))
		case awserr.SessionFailure(err) == awserr.SessionSource:
			// The source credentials were replaced or have expired: read them again, once.
			if e.parent != nil {
				b.reject(e.parent)
			} else {
				b.issuer.Forget(e.req)
			}
		default:
			return s, err
		}
	}
}

func (b *Broker) attempt(e *entry, f *flight) (*Session, error) {
	via, err := b.parentSession(f.ctx, e)
	if err != nil {
		return nil, err
	}
	urgent := func() priority {
		left := e.remaining(b.clock.now())
		switch {
		case left <= 0 && f.awaited.Load():
			return priority{0, left}
		case left < criticalLife:
			return priority{1, left}
		default:
			return priority{2, left}
		}
	}
	began := time.Now()
	err = e.limiter.wait(f.ctx, urgent)
	e.limiterWait.Add(int64(time.Since(began)))
	if err != nil {
		return nil, fmt.Errorf("waiting for the rate limiter of STS calls: %w", err)
	}
	ctx, cancel := context.WithTimeout(f.ctx, flightTimeout)
	defer cancel()
	r := e.req
	b.detectChaining(ctx, e)
	if e.clamped.Load() {
		r.Duration = min(r.Duration, chainedLife)
	}
	if e.policyOmitted.Load() {
		r.Policy = ""
	}
	return b.issuer.Issue(ctx, r, via)
}

// parentSession returns the session of the previous role in the chain, refreshed if
// little of its life is left. It returns nil for the first role.
func (b *Broker) parentSession(ctx context.Context, e *entry) (*Session, error) {
	p := e.parent
	if p == nil {
		return nil, nil
	}
	needed := func() bool { return p.forceRefresh || p.remaining(b.clock.now()) < parentLife }
	p.mu.Lock()
	cur, serves := p.cur.Load(), !needed()
	p.mu.Unlock()
	if serves {
		return cur, nil
	}
	err := b.await(ctx, p, needed)
	if cur := p.cur.Load(); cur != nil && cur.Expires.After(b.clock.now()) {
		return cur, nil
	}
	if err == nil {
		err = errors.New("its session has expired")
	}
	return nil, fmt.Errorf("assuming the previous role of the chain, %s: %w", p.req.Role, err)
}

// reject makes the scheduler replace a session that AWS refused.
func (b *Broker) reject(e *entry) {
	e.mu.Lock()
	e.forceRefresh = true
	e.mu.Unlock()
	b.schedule(e)
}

// detectChaining checks once whether the source is a role session itself, whose roles
// last an hour at most. It checks only for longer sessions.
func (b *Broker) detectChaining(ctx context.Context, e *entry) {
	if e.req.Duration <= chainedLife || e.req.straight() || e.clamped.Load() || e.sourceChecked.Load() {
		return
	}
	if e.parent != nil {
		b.clamp(e, "the previous role of the chain is a role")
		return
	}
	arn, err := b.issuer.SourceARN(ctx, e.req)
	if err != nil {
		return // AssumeRole will return the reason
	}
	e.sourceChecked.Store(true)
	if awsarn.ResourceType(arn) == "assumed-role" {
		b.clamp(e, "the source credentials are a role session: "+arn)
	}
}

func (b *Broker) clamp(e *entry, why string) {
	if !e.clamped.Swap(true) {
		b.log.Warn("a role that is assumed by a role lasts an hour at most: session.duration is cut to 1h",
			zap.String("role", e.req.Role), zap.Duration("configured", e.req.Duration), zap.String("why", why))
	}
}

func refusedForChaining(err error) bool {
	return codeOf(err) == "ValidationError" && strings.Contains(err.Error(), "role chaining")
}

func tooLarge(err error) bool { return codeOf(err) == "PackedPolicyTooLarge" }

func codeOf(err error) string {
	var api interface{ ErrorCode() string }
	if !errors.As(err, &api) {
		return ""
	}
	return api.ErrorCode()
}

// retryAfter returns how long the server asked to wait; zero: not stated.
func retryAfter(err error) time.Duration {
	h := headerOf(err)
	if ms, err := strconv.ParseUint(h.Get("X-Amz-Retry-After"), 10, 31); err == nil {
		return time.Duration(ms) * time.Millisecond
	}
	if s, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	return 0
}

func serverTimeOf(err error) time.Time {
	at, perr := http.ParseTime(headerOf(err).Get("Date"))
	if perr != nil {
		return time.Time{}
	}
	return at
}

func headerOf(err error) http.Header {
	var re *awshttp.ResponseError
	if errors.As(err, &re) && re.Response != nil && re.Response.Response != nil {
		return re.Response.Header
	}
	return nil
}
