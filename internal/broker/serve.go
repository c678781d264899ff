package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// vendedLife is the least life of a session that is handed out, while STS
// answers: SDKs refresh at every call, or refuse, when little is left.
const vendedLife = 20 * time.Minute

// ErrUnknownDestination is returned for a name that is not configured.
var ErrUnknownDestination = errors.New("unknown destination")

// Session returns a session with life left. It answers from memory unless there
// is no session or less than a minute of it; then it waits for one refresh, as
// long as ctx lets it. The error is an *Error, ErrUnknownDestination or ctx's.
func (b *Broker) Session(ctx context.Context, destination string) (*Session, error) {
	if t := b.set.Load().targets[destination]; t != nil {
		if cur, now := t.entry.cur.Load(), b.clock.nanoseconds(); cur != nil && cur.good(now) {
			if now < cur.dueAt {
				t.entry.served.add(servedFresh)
			} else {
				t.entry.served.add(servedDue)
			}
			return cur, nil // nearly always
		}
	}
	for {
		t, err := b.target(destination)
		if err != nil {
			return nil, err
		}
		s, err := b.session(ctx, destination, t.entry, criticalLife)
		// When a reload came in between, what it made of the destination counts.
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

// session waits for a refresh when less than life is left, and serves what is
// valid when that refresh fails.
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

// Vend returns the session that is handed to a peer: its own, named after the
// peer's user id so that the trail in account A tells peers apart, with at least
// 20 minutes of life while STS answers. Whether the peer may have it is the
// caller's to decide, before.
func (b *Broker) Vend(ctx context.Context, destination string, p Peer) (*Session, error) {
	for {
		t, err := b.target(destination)
		if err != nil {
			return nil, err
		}
		s, err := b.vend(ctx, t, p)
		// The peer's facts are of no use when a reload changed what is asked of them.
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
		e = &entry{req: r, base: t.entry.base, parent: t.entry.parent, turns: t.entry.turns, variant: true, peer: p.name(), key: k}
		if first, raced, _ := b.variants.PeekOrAdd(k, e); raced {
			e = first
		}
	}
	if !e.used.Swap(true) {
		b.plan(e) // it may have been idle
	}
	return b.session(ctx, t.name, e, vendedLife)
}

// Refresh fetches a new session now, whatever the backoff says, and waits for
// it. When it fails, the present session stays in use.
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

// Invalidate says that AWS rejected a key of the destination's session. It is a
// no-op when the session was already replaced, acts at most once per 30 s, and
// never bypasses the backoff. The rejected session stays until it is replaced.
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
		e.invalid, e.wanted = now, true
	}
	e.mu.Unlock()
	if !tooSoon {
		b.plan(e)
	}
}

// AwaitReplacement waits until the session with this key is no longer the present one,
// or the refresh that is under way fails, or ctx ends. It returns the session to
// go on with. Use it after Invalidate.
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

// Credentials adapts a destination's session to the SDK. It needs no cache above it.
func (b *Broker) Credentials(destination string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		s, err := b.Session(ctx, destination)
		if err != nil {
			return aws.Credentials{}, err
		}
		return s.credentials(), nil
	})
}

// SourceIdentity is the ARN behind the source credentials of a destination, as
// STS sees it. It is a call to STS each time.
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
		return "", fmt.Errorf("destination %q: asking STS who the source credentials are: %w", destination, err)
	}
	return arn, nil
}

// Statuses describes the session of every destination, sorted by name.
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
	st := Status{Destination: t.name, State: stateOf(cur, b.clock.now()), STSCalls: e.stsCalls, Clamped: e.clamped.Load(), Scope: t.scope,
		ServedFresh: e.served.count(servedFresh), ServedDue: e.served.count(servedDue), ServedCritical: e.served.count(servedCritical),
		Vended: e.vended.Load(), Waiters: int(e.waiters.Load()), TurnWait: time.Duration(e.turnWait.Load())}
	if e.wide.Load() {
		st.Scope = "left out: STS finds the session policy too large together with the tags"
	}
	if cur != nil {
		st.AssumedRoleARN, st.AccessKeyMasked, st.Generation = cur.AssumedRoleARN, cur.MaskedAccessKeyID(), cur.Generation
		st.Issued, st.Expires, st.RefreshAt = cur.Issued, cur.Expires, cur.RefreshAt
	}
	if e.lastErr != nil {
		st.LastError = e.lastErr.Error()
		st.LastErrorReason = string((&Error{Denied: e.class == failTerminal}).Reason())
	}
	return st
}
