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
	// flightTimeout bounds one refresh with all the SDK's attempts, from its turn
	// on: a source that hangs must free the slot.
	flightTimeout = 15 * time.Second
	// parentLife is what the role before must have left: a session that is made of
	// a dying one helps nobody.
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
	ctx     context.Context // the broker's; ended early when the destination is removed
	cancel  context.CancelFunc
	awaited atomic.Bool // a caller waits
}

// need says, with the entry's lock held, whether a flight is still wanted: who
// found the session wanting looked without the lock, and a flight may have ended
// since. nil stands for an operator's wish, which ignores the backoff as well.
type need func() bool

// join returns the flight under way, or starts one when the backoff allows it.
// It returns the last error instead when it does not, and neither when no flight
// is needed any more. then, if given, is called when the new flight has ended; it
// is not when another one was joined.
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
	if !b.launch(func() { b.fly(e, f, then) }) {
		cancel()
		return nil, false, errStopped
	}
	e.flight = f
	return f, true, nil
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

// await joins the flight, or starts one if it is needed, and waits for its end or ctx's.
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

// fly runs detached from every caller's context, under the broker's own.
func (b *Broker) fly(e *entry, f *flight, then func()) {
	started := time.Now()
	defer f.cancel()
	b.follow(e.key, f)
	defer b.leave(e.key, f)
	next, err := b.issue(e, f)
	if err == nil {
		b.learn(next.serverTime, next.Issued)
	} else {
		b.learn(serverTimeOf(err), time.Now())
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
		e.failures, e.lastErr, e.retryAt, e.wanted = 0, nil, time.Time{}, false
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
	b.plan(e)
}

// follow waits for the end of an earlier flight for the same key: one that was
// cut off by a reload, or whose entry was evicted, and is still under way.
func (b *Broker) follow(k sessionKey, f *flight) {
	b.flyingMu.Lock()
	before := b.flying[k]
	b.flying[k] = f
	b.flyingMu.Unlock()
	if before != nil {
		<-before.done
	}
}

func (b *Broker) leave(k sessionKey, f *flight) {
	b.flyingMu.Lock()
	defer b.flyingMu.Unlock()
	if b.flying[k] == f {
		delete(b.flying, k)
	}
}

// cut ends what is under way for an entry, and lets nothing begin.
func (e *entry) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cutOff = true
	e.gone.Store(true)
	if e.flight != nil {
		e.flight.cancel()
	}
}

// learn corrects the clock by the time that a server gave; zero: it gave none.
func (b *Broker) learn(server, local time.Time) {
	if server.IsZero() || !b.clock.learn(server, local) {
		return
	}
	if skew := b.clock.skew(); skew.Abs() > skewWarn {
		b.log.Warn("this host's clock is wrong: set it, AWS refuses signatures that are 5 to 15 minutes off; expiries are compared with AWS's time until then",
			zap.Duration("aws_is_ahead_by", skew))
	}
	b.planAll()
}

// issue turns a panic of a source into an error, so that the slot is freed.
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
			b.clamp(e, "STS says so")
		case e.req.Policy != "" && tooLarge(err) && !e.wide.Swap(true):
			b.log.Warn("STS finds the session policy too large together with the tags: it is left out, and the session keeps all rights of its role",
				zap.String("role", e.req.Role))
		case awserr.SessionFailure(err) == awserr.SessionSource:
			// The keys behind the call were replaced or have ended: read them anew, once.
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
	urgent := func() urgency {
		left := e.remaining(b.clock.now())
		switch {
		case left <= 0 && f.awaited.Load():
			return urgency{0, left}
		case left < criticalLife:
			return urgency{1, left}
		default:
			return urgency{2, left}
		}
	}
	began := time.Now()
	err = e.turns.wait(f.ctx, urgent)
	e.turnWait.Add(int64(time.Since(began)))
	if err != nil {
		return nil, fmt.Errorf("waiting for a turn to call STS: %w", err)
	}
	ctx, cancel := context.WithTimeout(f.ctx, flightTimeout)
	defer cancel()
	r := e.req
	b.detectChaining(ctx, e)
	if e.clamped.Load() {
		r.Duration = min(r.Duration, chainedLife)
	}
	if e.wide.Load() {
		r.Policy = ""
	}
	return b.issuer.Issue(ctx, r, via)
}

// parentSession is the session of the role before this one in a chain; nil when
// there is none. It is refreshed first when little of it is left.
func (b *Broker) parentSession(ctx context.Context, e *entry) (*Session, error) {
	p := e.parent
	if p == nil {
		return nil, nil
	}
	needed := func() bool { return p.wanted || p.remaining(b.clock.now()) < parentLife }
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
	return nil, fmt.Errorf("assuming the role before it in the chain, %s: %w", p.req.Role, err)
}

// reject marks a session that AWS refused, so that the next look replaces it.
func (b *Broker) reject(e *entry) {
	e.mu.Lock()
	e.wanted = true
	e.mu.Unlock()
	b.plan(e)
}

// detectChaining finds out, once and only for sessions that are to last longer,
// whether the source is a role session itself: then an hour is all that STS gives.
func (b *Broker) detectChaining(ctx context.Context, e *entry) {
	if e.req.Duration <= chainedLife || e.req.straight() || e.clamped.Load() || e.asked.Load() {
		return
	}
	if e.parent != nil {
		b.clamp(e, "the role before it in the chain is a role")
		return
	}
	arn, err := b.issuer.SourceARN(ctx, e.req)
	if err != nil {
		return // STS will say so itself
	}
	e.asked.Store(true)
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

// retryAfter is how long the server asked to wait; zero when it did not.
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
