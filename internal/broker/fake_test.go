package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/secret"
)

// scripted is an STS with responses of the test, in order; the last one repeats.
type scripted struct {
	mu      sync.Mutex
	answers []answer
	calls   []Request
	vias    []*Session
	forgot  int
	source  string        // ARN of the source credentials; empty: not known
	ahead   time.Duration // of STS's clock
}

type answer struct {
	life  time.Duration
	err   error
	takes time.Duration
	empty bool
	panic bool
}

func (s *scripted) Issue(ctx context.Context, r Request, via *Session) (*Session, error) {
	s.mu.Lock()
	n := len(s.calls)
	s.calls, s.vias = append(s.calls, r), append(s.vias, via)
	a := s.answers[min(n, len(s.answers)-1)]
	s.mu.Unlock()
	if a.panic {
		panic("source fell over")
	}
	if a.takes > 0 {
		select {
		case <-time.After(a.takes):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	if a.empty {
		return nil, &unusableError{"a key, the token or the expiry is missing"}
	}
	out := &Session{
		AccessKeyID: fmt.Sprintf("ASIA%04d", n+1), SecretAccessKey: secret.New("hush"), SessionToken: secret.New("hush-token"),
		AssumedRoleARN: "arn:aws:sts::111122223333:assumed-role/up/" + r.SessionName,
		Issued:         time.Now(), Expires: time.Now().Add(s.ahead + a.life),
	}
	if s.ahead != 0 {
		out.serverTime = time.Now().Add(s.ahead)
	}
	return out, nil
}

func (s *scripted) Forget(Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgot++
}

func (s *scripted) SourceARN(context.Context, Request) (string, error) {
	if s.source == "" {
		return "", errors.New("not known")
	}
	return s.source, nil
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

func destination(name string) *config.Destination {
	return &config.Destination{
		Name: name, Role: "arn:aws:iam::111122223333:role/up", Region: "eu-west-1",
		Session: config.Session{Name: "brokerd-logs", Scope: config.ScopeAuto, Duration: config.Duration(time.Hour)},
	}
}

func configured(dests ...*config.Destination) *config.Config {
	c := &config.Config{Destinations: map[string]*config.Destination{}}
	for _, d := range dests {
		c.Destinations[d.Name] = d
	}
	return c
}

func brokerOver(t *testing.T, sts *scripted, dests ...*config.Destination) *Broker {
	t.Helper()
	if len(dests) == 0 {
		dests = []*config.Destination{destination("logs")}
	}
	b, err := newBroker(Options{Config: configured(dests...), Rand: rand.New(rand.NewPCG(1, 2))}, sts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// running runs the broker during fn, in virtual time.
func running(t *testing.T, sts *scripted, fn func(t *testing.T, b *Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := brokerOver(t, sts)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		synctest.Wait()
		fn(t, b)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// apiError is an AWS error as the SDK returns it.
type apiError struct{ code string }

func (e apiError) Error() string        { return "api error " + e.code }
func (e apiError) ErrorCode() string    { return e.code }
func (e apiError) ErrorMessage() string { return "because" }
