package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// vendedLife is the least life of a session for a peer, while STS responds: SDKs refuse
// a session with less, or refresh it at every call.
const vendedLife = 20 * time.Minute

// ErrUnknownDestination is returned for a name that is not configured.
var ErrUnknownDestination = errors.New("unknown destination")

// Session returns a session that has not expired. It returns the one in memory unless
// less than a minute of it is left; then it waits for one refresh or until ctx ends.
// The error is an *Error, ErrUnknownDestination or ctx's.
func (b *Broker) Session(ctx context.Context, destination string) (*Session, error) {
	if t := b.set.Load().targets[destination]; t != nil {
		if cur, now := t.entry.cur.Load(), b.clock.nanoseconds(); cur != nil && cur.good(now) {
			if now < cur.dueAt {
				t.entry.served.add(servedFresh)
			} else {
				t.entry.served.add(servedDue)
			}
			return cur, nil // the usual case
		}
	}
	for {
		t, err := b.target(destination)
		if err != nil {
			return nil, err
		}
		s, err := b.session(ctx, destination, t.entry, criticalLife)
		// After a reload in between, the destination's new request counts.
		if now, _ := b.target(destination); now != nil && now.entry == t.entry {
			return s, err
		}
	}
}

func (b *Broker) target(destination string) (*target, error) {
	if t, ok := b.set.Load().targets[destination]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("destination %q: %w", destination, ErrUnknownDestination)
}

// session waits for a refresh when less than life is left. If that refresh fails, it
// serves a session that is still valid.
func (b *Broker) session(ctx context.Context, destination string, e *entry, life time.Duration) (*Session, error) {
	short := func() bool { return e.remaining(b.clock.now()) < life }
	if !short() {
		cur := e.cur.Load()
		e.served.addState(stateOf(cur, b.clock.now()))
		return cur, nil
	}
	err := b.await(ctx, e, short)
	cur := e.cur.Load()
	if s := stateOf(cur, b.clock.now()); s != StateEmpty && s != StateExpired {
		e.served.addState(s)
		return cur, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("destination %q: waiting for a session: %w", destination, ctx.Err())
	}
	if err == nil {
		err = errors.New("the session has expired")
	}
	return nil, e.failure(destination, err)
}

func (e *entry) failure(destination string, err error) *Error {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := &Error{Destination: destination, Role: e.req.Role, Err: err, Denied: classify(err) == failTerminal}
	if wait := time.Until(e.retryAt); wait > 0 {
		out.RetryAfter = wait
	}
	return out
}

// Vend returns a session of the peer's own. Its name contains the peer's user id, so
// that the trail in account A tells peers apart. At least 20 minutes of it are left
// while STS responds. The caller decides first whether the peer may have it.
func (b *Broker) Vend(ctx context.Context, destination string, p Peer) (*Session, error) {
	for {
		t, err := b.target(destination)
		if err != nil {
			return nil, err
		}
		s, err := b.vend(ctx, t, p)
		// Start again if a reload changed the request, or the facts of the peer in it.
		if now, _ := b.target(destination); now != nil && now.entry == t.entry && samePeer(now, t) {
			if err == nil {
				t.entry.vended.Add(1)
			}
			return s, err
		}
	}
}

func samePeer(x, y *target) bool {
	return x.peer.SourceIdentity == y.peer.SourceIdentity && maps.Equal(x.peer.Tags, y.peer.Tags)
}

func (b *Broker) vend(ctx context.Context, t *target, p Peer) (*Session, error) {
	r, err := t.requestFor(p)
	if err != nil {
		return nil, &Error{Destination: t.name, Role: t.entry.req.Role, Denied: true, Err: err}
	}
	k := r.key()
	e, ok := b.variants.Get(k)
	if !ok {
		if p.First != nil {
			if err := p.First(); err != nil {
				return nil, err
			}
		}
		e = &entry{req: r, base: t.entry.base, parent: t.entry.parent, limiter: t.entry.limiter, variant: true, peer: p.name(), key: k}
		if first, raced, _ := b.variants.PeekOrAdd(k, e); raced {
			e = first
		}
	}
	if !e.used.Swap(true) {
		b.schedule(e) // it may have been idle
	}
	return b.session(ctx, t.name, e, vendedLife)
}

// Refresh fetches a new session now, despite any backoff, and waits for it. When it
// fails, the current session stays in use.
func (b *Broker) Refresh(ctx context.Context, destination string) (Status, error) {
	t, err := b.target(destination)
	if err != nil {
		return Status{}, err
	}
	if err := b.await(ctx, t.entry, nil); err != nil {
		if ctx.Err() != nil {
			return Status{}, fmt.Errorf("destination %q: waiting for the refresh: %w", destination, ctx.Err())
		}
		return Status{}, t.entry.failure(destination, err)
	}
	return b.status(t), nil
}

// Invalidate makes the broker replace a session whose key AWS rejected. It does nothing
// when the session was already replaced, acts at most once in 30 s, and keeps the
// backoff. The rejected session stays until it is replaced.
func (b *Broker) Invalidate(destination, accessKeyID string) {
	t, err := b.target(destination)
	if err != nil {
		return
	}
	e := t.entry
	cur := e.cur.Load()
	if cur == nil || cur.AccessKeyID != accessKeyID {
		return
	}
	now := time.Now().Round(0)
	e.mu.Lock()
	tooSoon := !e.invalid.IsZero() && now.Sub(e.invalid) < invalidateEvery
	if !tooSoon {
		e.invalid, e.forceRefresh = now, true
	}
	e.mu.Unlock()
	if !tooSoon {
		b.schedule(e)
	}
}

// AwaitReplacement waits until the session with this key was replaced, the refresh in
// progress fails, or ctx ends. It returns the new session. Call it after Invalidate.
func (b *Broker) AwaitReplacement(ctx context.Context, destination, accessKeyID string) (*Session, error) {
	t, err := b.target(destination)
	if err != nil {
		return nil, err
	}
	same := func() bool {
		cur := t.entry.cur.Load()
		return cur == nil || cur.AccessKeyID == accessKeyID
	}
	if !same() {
		return t.entry.cur.Load(), nil
	}
	if err := b.await(ctx, t.entry, same); err != nil {
		return nil, t.entry.failure(destination, err)
	}
	return t.entry.cur.Load(), nil
}

// Credentials returns a destination's session as a provider for the SDK. It needs no
// further cache.
func (b *Broker) Credentials(destination string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		s, err := b.Session(ctx, destination)
		if err != nil {
			return aws.Credentials{}, err
		}
		return s.credentials(), nil
	})
}

// SourceIdentity returns the ARN of a destination's source credentials, as STS sees it.
// Each call is a call to STS.
func (b *Broker) SourceIdentity(ctx context.Context, destination string) (string, error) {
	t, err := b.target(destination)
	if err != nil {
		return "", err
	}
	if t.entry.parent != nil {
		via, err := b.parentSession(ctx, t.entry)
		if err != nil {
			return "", fmt.Errorf("destination %q: %w", destination, err)
		}
		return via.AssumedRoleARN, nil
	}
	arn, err := b.issuer.SourceARN(ctx, t.entry.req)
	if err != nil {
		return "", fmt.Errorf("destination %q: asking STS for the identity of the source credentials: %w", destination, err)
	}
	return arn, nil
}

// Statuses describes the sessions of all destinations, sorted by name.
func (b *Broker) Statuses() []Status {
	now := b.set.Load()
	out := make([]Status, 0, len(now.names))
	for _, name := range now.names {
		out = append(out, b.status(now.targets[name]))
	}
	return out
}

// Status describes the session of one destination.
func (b *Broker) Status(destination string) (Status, error) {
	t, err := b.target(destination)
	if err != nil {
		return Status{}, err
	}
	return b.status(t), nil
}

func (b *Broker) status(t *target) Status {
	e := t.entry
	cur := e.cur.Load()
	e.mu.Lock()
	defer e.mu.Unlock()
	now := b.clock.now()
	st := Status{Destination: t.name, State: stateOf(cur, now), STSCalls: e.stsCalls, Clamped: e.clamped.Load(), Scope: t.scope,
		ServedFresh: e.served.count(servedFresh), ServedDue: e.served.count(servedDue), ServedCritical: e.served.count(servedCritical),
		Vended: e.vended.Load(), Waiters: int(e.waiters.Load()), LimiterWait: time.Duration(e.limiterWait.Load())}
	if e.policyOmitted.Load() {
		st.Scope = "left out: STS finds the session policy too large together with the tags"
	}
	if cur != nil {
		st.AssumedRoleARN, st.AccessKeyMasked, st.Generation = cur.AssumedRoleARN, cur.MaskedAccessKeyID(), cur.Generation
		st.Issued, st.Expires, st.RefreshAt = cur.Issued, cur.Expires, cur.RefreshAt
		st.TimeLeft, st.RefreshIn = cur.Expires.Sub(now), cur.RefreshAt.Sub(now)
	}
	if e.lastErr != nil {
		st.LastError = e.lastErr.Error()
		st.LastErrorReason = string((&Error{Denied: e.class == failTerminal}).Reason())
	}
	return st
}
