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
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
)

// knownUsers bounds the memory of the rate limiters. A user beyond it starts again
// with a full token bucket.
const knownUsers = 4096

const (
	// firstEvery and firstBurst bound the sessions of its own that a user, a pod or a group
	// can make the daemon fetch. STS takes five calls a second, for all.
	firstEvery = 500 * time.Millisecond
	firstBurst = 20
)

// Sessions is the call of the broker that issues a session of the peer's own.
type Sessions interface {
	Vend(ctx context.Context, destination string, p broker.Peer) (*broker.Session, error)
}

// Observer counts requests. destination is empty when it is not configured.
type Observer interface {
	// CredentialsAsked reports one answer. outcome is OK or the reason of the refusal.
	CredentialsAsked(destination, via, outcome string)
}

// Auditor writes audit lines; telemetry.Log does. An error says that the line was not
// written.
type Auditor interface {
	Record(msg string, fields ...zap.Field) error
}

// Options are the parts of a Service. All are required except Lines, Audit and Observer.
type Options struct {
	Config   *config.Config
	Access   access.Compiler
	Sessions Sessions
	Logger   *zap.Logger
	Lines    *quota.Lines // limits the lines about refusals; nil: a limit of its own
	Audit    Auditor      // nil: audit lines go to Logger
	Observer Observer
}

// Service issues all credentials, over gRPC and over HTTP: it applies the rate limit
// and the access rules, and writes the audit record. Its methods may be called from
// several goroutines.
type Service struct {
	o        Options
	current  atomic.Pointer[configuration]
	limiters *lru.Cache[uint32, *rate.Limiter] // by UID
	firsts   *quota.Rates
}

// configuration is immutable. A reload swaps it; a request keeps the one that it began with.
type configuration struct {
	config *config.Config
	rules  *access.Policy
	keys   *keyring
}

// New returns a Service. It reads each token file when it is used, and logs now which
// ones cannot be used.
func New(o Options) (*Service, error) {
	if o.Config == nil || o.Sessions == nil || o.Logger == nil {
		return nil, errors.New("vend: an option is missing")
	}
	if o.Lines == nil {
		o.Lines = quota.NewLines(o.Logger)
	}
	s := &Service{o: o, firsts: quota.NewRates(firstEvery, firstBurst)}
	var err error
	if s.limiters, err = lru.New[uint32, *rate.Limiter](knownUsers); err != nil {
		return nil, fmt.Errorf("vend: making the rate limiters: %w", err)
	}
	first, err := s.Prepare(o.Config)
	if err != nil {
		return nil, err
	}
	first.Commit()
	return s, nil
}

// Prepare resolves the users and groups that another configuration names. A name
// that this machine does not know is an error.
func (s *Service) Prepare(c *config.Config) (config.Change, error) {
	rules, err := s.o.Access.Compile(c)
	if err != nil {
		return nil, err
	}
	peers, err := s.o.Access.TokenPeers(c)
	if err != nil {
		return nil, err
	}
	keys := &keyring{log: s.o.Logger, lines: s.o.Lines}
	for i, t := range c.Vend.Tokens {
		k := &token{file: t.File, peer: peers[i], only: t.Destinations}
		if slices.Contains(t.Destinations, "*") {
			k.only = nil
		}
		keys.tokens = append(keys.tokens, k)
	}
	return &change{s, &configuration{c, rules, keys}}, nil
}

// change is a prepared reload of a Service.
type change struct {
	s    *Service
	next *configuration
}

// Discard implements config.Change.
func (*change) Discard() {}

// Commit implements config.Change. A changed rate limit starts with full token buckets.
func (ch *change) Commit() {
	was := ch.s.current.Swap(ch.next)
	if was != nil && was.config.Limits.Credentials != ch.next.config.Limits.Credentials {
		ch.s.limiters.Purge()
	}
	ch.next.keys.check()
}

// Identify returns the caller that the token of a request stands for.
func (s *Service) Identify(r *http.Request) (Caller, error) {
	return s.current.Load().keys.identify(r)
}

// Credentials implements Source.
func (s *Service) Credentials(ctx context.Context, c Caller, destination string) (Credentials, error) {
	session, err := s.Issue(ctx, c, destination)
	if err != nil {
		return Credentials{}, err
	}
	out := Credentials{
		AccessKeyID: session.AccessKeyID, SecretAccessKey: session.SecretAccessKey, SessionToken: session.SessionToken,
		Expiration: session.Expires,
	}
	if d := s.current.Load().config.Destinations[destination]; d != nil {
		out.RoleARN = d.Role
	}
	return out, nil
}

// Issue returns a session of the caller's own, or a *Refusal. It records either. It
// refuses credentials whose audit line cannot be written.
func (s *Service) Issue(ctx context.Context, c Caller, destination string) (*broker.Session, error) {
	current := s.current.Load()
	session, err := s.issue(ctx, current, c, destination)
	if err = s.record(current, c, destination, session, err); err != nil {
		return nil, err
	}
	return session, nil
}

func (s *Service) issue(ctx context.Context, current *configuration, c Caller, destination string) (*broker.Session, error) {
	if wait := s.reserve(c.Peer.UID, current.config.Limits.Credentials); wait > 0 {
		return nil, &Refusal{
			Reason: reason.TooManyRequests, RetryAfter: wait,
			Message: fmt.Sprintf("this user asks for credentials more than %d times a second (limits.credentials_per_second); "+
				"try again in %s, and keep credentials until they are about to expire", current.config.Limits.Credentials,
				max(wait.Round(time.Millisecond), time.Millisecond)),
		}
	}
	if decision := current.rules.Decide(c.Peer, config.PermCredentials, destination); !decision.Allowed {
		return nil, &Refusal{Reason: reason.PeerNotAllowed, Message: decision.Reason, Rule: decision.Suggestion}
	}
	if c.Only != nil && !slices.Contains(c.Only, destination) {
		return nil, &Refusal{
			Reason:  reason.PeerNotAllowed,
			Message: fmt.Sprintf("the token is not valid for %q; vend.tokens names its destinations", destination),
		}
	}
	if current.config.Destinations[destination] == nil {
		return nil, &Refusal{Reason: reason.UnknownDestination, Message: fmt.Sprintf("there is no destination %q", destination)}
	}
	session, err := s.o.Sessions.Vend(ctx, destination, broker.Peer{
		UID: c.Peer.UID, Unit: c.Peer.Unit, Pod: c.Peer.Pod, First: func() error { return s.first(current.rules.Party(c.Peer)) },
	})
	if err != nil {
		return nil, refusalOf(err)
	}
	return session, nil
}

// first returns an error when STS fetched too many sessions for the party already.
func (s *Service) first(p quota.Party) error {
	wait, ok := s.firsts.Take(p)
	if ok {
		return nil
	}
	return &Refusal{
		Reason: reason.TooManyRequests, RetryAfter: wait,
		Message: fmt.Sprintf("%s needs more new sessions than %d at once and %d a second; try again in %s", p, firstBurst,
			time.Second/firstEvery, max(wait.Round(time.Millisecond), time.Millisecond)),
	}
}

// record logs and counts one answer, and returns the error of the answer: err, or
// a *Refusal when the audit line of issued credentials could not be written.
func (s *Service) record(current *configuration, c Caller, destination string, session *broker.Session, err error) error {
	fields := []zap.Field{
		zap.String(
			"destination",
			destination,
		), zap.String("peer", current.rules.Describe(c.Peer)), zap.String("via", c.Via), zap.Uint32("uid", c.Peer.UID),
	}
	if c.Peer.Grouped() {
		fields = append(fields, zap.Uint32("gid", c.Peer.GID))
	}
	if c.Peer.PID != 0 { // 0: another PID namespace, or a token stands for the peer
		fields = append(fields, zap.Int32("pid", c.Peer.PID))
	}
	if c.Peer.Unit != "" {
		fields = append(fields, zap.String("unit", c.Peer.Unit))
	}
	if c.Peer.Pod != "" {
		fields = append(fields, zap.String("pod", c.Peer.Pod))
	}
	outcome := "OK"
	if err == nil {
		err = s.audit(
			append(
				fields,
				zap.String("access_key", session.MaskedAccessKeyID()),
				zap.Uint64("generation", session.Generation),
				zap.Time("expires", session.Expires),
			),
		)
	}
	if err != nil {
		outcome = string(reason.Internal)
		var f *Refusal
		if errors.As(err, &f) {
			outcome = string(f.Reason)
		}
		s.o.Lines.Warn(current.rules.Party(c.Peer), "credentials "+outcome, "credentials refused",
			append(fields, zap.String("reason", outcome), zap.Error(err))...)
	}
	if s.o.Observer == nil {
		return err
	}
	label := ""
	if current.config.Destinations[destination] != nil {
		label = destination
	}
	s.o.Observer.CredentialsAsked(label, c.Via, outcome)
	return err
}

// audit writes the audit line of issued credentials.
func (s *Service) audit(fields []zap.Field) error {
	const issued = "credentials issued"
	if s.o.Audit == nil {
		s.o.Logger.Info(issued, fields...)
		return nil
	}
	if err := s.o.Audit.Record(issued, fields...); err != nil {
		return &Refusal{
			Reason:     reason.AuditUnavailable,
			RetryAfter: auditRetry,
			Message:    "no credentials were issued: their audit line could not be written: " + err.Error(),
		}
	}
	return nil
}

// auditRetry is the delay that a caller is told when the log takes no audit line.
const auditRetry = 5 * time.Second

// reserve takes a token from the user's bucket. It returns how long the user must wait
// before the next try; zero: the request is admitted.
func (s *Service) reserve(uid uint32, perSecond int) time.Duration {
	l, ok := s.limiters.Get(uid)
	if !ok {
		l = rate.NewLimiter(rate.Limit(perSecond), 2*perSecond)
		if before, raced, _ := s.limiters.PeekOrAdd(uid, l); raced {
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

// refusalOf turns an error of the broker into a *Refusal. SDKs ask again after a 5xx
// and give up after a 4xx.
func refusalOf(err error) error {
	var failed *broker.Error
	switch {
	case errors.As(err, &failed):
		return &Refusal{Reason: failed.Reason(), Message: failed.Error(), RetryAfter: failed.RetryAfter, Err: err}
	case errors.Is(err, broker.ErrUnknownDestination):
		return &Refusal{Reason: reason.UnknownDestination, Message: err.Error(), Err: err}
	case errors.Is(err, context.Canceled):
		return &Refusal{Reason: reason.Canceled, Message: "the caller canceled the request", Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Refusal{Reason: reason.Deadline, Message: err.Error(), RetryAfter: time.Second, Err: err}
	}
	return err
}
