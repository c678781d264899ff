package vend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
)

// knownUsers bounds the memory of the rate limits. Who is forgotten begins anew.
const knownUsers = 4096

// Sessions is what the desk needs of the broker.
type Sessions interface {
	Vend(ctx context.Context, destination string, p broker.Peer) (*broker.Session, error)
}

// Observer counts what the desk does. destination is empty when it is not configured.
type Observer interface {
	// CredentialsAsked reports one answer. outcome is OK or the code of the refusal.
	CredentialsAsked(destination, via, outcome string)
}

// Options are what a Desk is made of. All are required but Observer.
type Options struct {
	Config   *config.Config
	Access   access.Compiler
	Sessions Sessions
	Logger   *zap.Logger
	Observer Observer
}

// Desk is where all credentials are handed out, whichever way they were asked
// for: it decides, limits, and keeps the record.
type Desk struct {
	o    Options
	now  atomic.Pointer[terms]
	pace *lru.Cache[uint32, *rate.Limiter]
}

// terms are what requests that begin now go by. They are immutable: a reload swaps them.
type terms struct {
	config *config.Config
	rules  *access.Policy
	keys   *keyring
}

// New makes a desk. Token files are read when they are used; what is wrong with
// them now is logged.
func New(o Options) (*Desk, error) {
	if o.Config == nil || o.Sessions == nil || o.Logger == nil {
		return nil, errors.New("vend: an option is missing")
	}
	d := &Desk{o: o}
	var err error
	if d.pace, err = lru.New[uint32, *rate.Limiter](knownUsers); err != nil {
		return nil, fmt.Errorf("vend: making the rate limits: %w", err)
	}
	first, err := d.Prepare(o.Config)
	if err != nil {
		return nil, err
	}
	first.Commit()
	return d, nil
}

// Prepare resolves the users and groups that another configuration names. A name
// that this machine does not know is an error.
func (d *Desk) Prepare(c *config.Config) (config.Change, error) {
	rules, err := d.o.Access.Compile(c)
	if err != nil {
		return nil, err
	}
	peers, err := d.o.Access.TokenPeers(c)
	if err != nil {
		return nil, err
	}
	keys := &keyring{log: d.o.Logger}
	for i, t := range c.Vend.Tokens {
		k := &token{file: t.File, peer: peers[i], only: t.Destinations}
		if slices.Contains(t.Destinations, "*") {
			k.only = nil
		}
		keys.tokens = append(keys.tokens, k)
	}
	return &change{d, &terms{c, rules, keys}}, nil
}

// change is a prepared reload of the desk.
type change struct {
	d    *Desk
	next *terms
}

// Discard implements config.Change.
func (*change) Discard() {}

// Commit implements config.Change. Another rate limit starts with full buckets.
func (ch *change) Commit() {
	was := ch.d.now.Swap(ch.next)
	if was != nil && was.config.Limits.Credentials != ch.next.config.Limits.Credentials {
		ch.d.pace.Purge()
	}
	ch.next.keys.check()
}

// Identify knows callers by their tokens.
func (d *Desk) Identify(r *http.Request) (Caller, error) { return d.now.Load().keys.identify(r) }

// Credentials implements Source.
func (d *Desk) Credentials(ctx context.Context, c Caller, destination string) (Credentials, error) {
	s, err := d.Hand(ctx, c, destination)
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{
		AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken, Expiration: s.Expires,
		RoleARN: d.roleOf(destination),
	}, nil
}

func (d *Desk) roleOf(destination string) string {
	if dest := d.now.Load().config.Destinations[destination]; dest != nil {
		return dest.Role
	}
	return ""
}

// Hand gives a caller a session of its own, or says with a *Refusal why not.
// Either is on record.
func (d *Desk) Hand(ctx context.Context, c Caller, destination string) (*broker.Session, error) {
	now := d.now.Load()
	s, err := d.hand(ctx, now, c, destination)
	label := ""
	if now.config.Destinations[destination] != nil {
		label = destination
	}
	fields := []zap.Field{
		zap.String("destination", destination), zap.String("peer", now.rules.Describe(c.Peer)), zap.String("via", c.Via), zap.Uint32("uid", c.Peer.UID),
	}
	if c.Peer.Grouped() {
		fields = append(fields, zap.Uint32("gid", c.Peer.GID))
	}
	if c.Peer.PID != 0 { // 0: it lives in another pid namespace, or a token stands for it
		fields = append(fields, zap.Int32("pid", c.Peer.PID))
	}
	if c.Peer.Unit != "" {
		fields = append(fields, zap.String("unit", c.Peer.Unit))
	}
	if c.Peer.Pod != "" {
		fields = append(fields, zap.String("pod", c.Peer.Pod))
	}
	outcome := "OK"
	if err != nil {
		outcome = string(reason.Internal)
		var f *Refusal
		if errors.As(err, &f) {
			outcome = string(f.Reason)
		}
		d.o.Logger.Warn("credentials not handed out", append(fields, zap.String("reason", outcome), zap.Error(err))...)
	} else {
		d.o.Logger.Info("credentials handed out", append(fields, zap.String("access_key", s.MaskedAccessKeyID()), zap.Uint64("generation", s.Generation), zap.Time("expires", s.Expires))...)
	}
	if d.o.Observer != nil {
		d.o.Observer.CredentialsAsked(label, c.Via, outcome)
	}
	return s, err
}

func (d *Desk) hand(ctx context.Context, now *terms, c Caller, destination string) (*broker.Session, error) {
	if wait := d.wait(c.Peer.UID, now.config.Limits.Credentials); wait > 0 {
		return nil, &Refusal{
			Reason: reason.TooManyRequests, RetryAfter: wait,
			Message: fmt.Sprintf("this user asks for credentials more than %d times a second (limits.credentials_per_second); keep them until they are about to expire", now.config.Limits.Credentials),
		}
	}
	if decision := now.rules.Decide(c.Peer, config.PermCredentials, destination); !decision.Allowed {
		return nil, &Refusal{Reason: reason.PeerNotAllowed, Message: decision.Reason, Rule: decision.Suggestion}
	}
	if c.Only != nil && !slices.Contains(c.Only, destination) {
		return nil, &Refusal{Reason: reason.PeerNotAllowed, Message: fmt.Sprintf("the token is not good for %q; vend.tokens names its destinations", destination)}
	}
	if now.config.Destinations[destination] == nil {
		return nil, &Refusal{Reason: reason.UnknownDestination, Message: fmt.Sprintf("there is no destination %q", destination)}
	}
	s, err := d.o.Sessions.Vend(ctx, destination, broker.Peer{UID: c.Peer.UID, Unit: c.Peer.Unit, Pod: c.Peer.Pod})
	if err != nil {
		return nil, refusalOf(err)
	}
	return s, nil
}

// wait is how long a user has to wait for its next turn; zero: it is now.
func (d *Desk) wait(uid uint32, perSecond int) time.Duration {
	l, ok := d.pace.Get(uid)
	if !ok {
		l = rate.NewLimiter(rate.Limit(perSecond), 2*perSecond)
		if before, raced, _ := d.pace.PeekOrAdd(uid, l); raced {
			l = before
		}
	}
	r := l.Reserve()
	wait := r.Delay()
	if wait > 0 {
		r.Cancel()
	}
	return wait
}

// refusalOf says what the broker said. Its errors hold no secret. SDKs ask again
// after a 5xx and give up after a 4xx, which is what each deserves.
func refusalOf(err error) error {
	var failed *broker.Error
	switch {
	case errors.As(err, &failed):
		status := http.StatusServiceUnavailable
		if failed.Denied {
			status = http.StatusForbidden
		}
		return &Refusal{Status: status, Reason: failed.Reason(), Message: failed.Error(), RetryAfter: failed.RetryAfter, Err: err}
	case errors.Is(err, broker.ErrUnknownDestination):
		return &Refusal{Reason: reason.UnknownDestination, Message: err.Error(), Err: err}
	case errors.Is(err, context.Canceled):
		return &Refusal{Reason: reason.Canceled, Message: "the caller gave up", Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Refusal{Reason: reason.Deadline, Message: err.Error(), RetryAfter: time.Second, Err: err}
	}
	return err
}
