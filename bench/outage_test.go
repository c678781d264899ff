package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/secret"
)

var daemons = flag.Int("daemons", 200, "daemons in each simulated outage; 4000 for the published table")

// outage is one scenario: the lifetime of sessions, and how long STS is down. The
// outage begins at a different moment for each daemon.
type outage struct {
	session, down time.Duration
	// survived demands that brokerd's callers see no error.
	survived bool
}

var outages = []outage{
	{time.Hour, 10 * time.Minute, true},
	{time.Hour, 20 * time.Minute, true},
	{15 * time.Minute, 5 * time.Second, true},
	{15 * time.Minute, 5 * time.Minute, true},
	{15 * time.Minute, 10 * time.Minute, false}, // too long for any refresh rule
}

// sts is STS as one daemon sees it.
type sts struct {
	life     time.Duration
	from, to time.Time // down

	mu    sync.Mutex
	calls int
}

var errDown = &smithy.GenericAPIError{Code: "ServiceUnavailable", Message: "STS is down", Fault: smithy.FaultServer}

// assume is one AssumeRole. It returns the session's expiry, or an error.
func (s *sts) assume() (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	now := time.Now()
	if !now.Before(s.from) && now.Before(s.to) {
		return time.Time{}, errDown
	}
	return now.Add(s.life), nil
}

// Issue implements broker.Issuer.
func (s *sts) Issue(context.Context, broker.Request, *broker.Session) (*broker.Session, error) {
	expires, err := s.assume()
	if err != nil {
		return nil, err
	}
	return &broker.Session{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: secret.New("s"), SessionToken: secret.New("t"), Issued: time.Now(),
		Expires: expires}, nil
}

// SourceARN implements broker.Issuer.
func (s *sts) SourceARN(context.Context, broker.Request) (string, error) {
	return "", errors.New("not asked for here")
}

// Forget implements broker.Issuer.
func (s *sts) Forget(broker.Request) {}

// Retrieve implements aws.CredentialsProvider.
func (s *sts) Retrieve(context.Context) (aws.Credentials, error) {
	expires, err := s.assume()
	return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "s", SessionToken: "t", CanExpire: true, Expires: expires}, err
}

// keeper is a way to refresh a session. The returned function is a caller's request
// for credentials; its error is the one that the caller sees.
type keeper struct {
	name  string
	start func(ctx context.Context, t *testing.T, s *sts, rng *rand.Rand) func(context.Context) error
}

var keepers = []keeper{
	{"brokerd", brokerdKeeps},
	{"aws-sdk-go-v2 CredentialsCache", sdkKeeps},
	{"AWS 2026 refresh rule", specKeeps},
}

// brokerdKeeps is the product itself, with its scheduler.
func brokerdKeeps(ctx context.Context, t *testing.T, s *sts, rng *rand.Rand) func(context.Context) error {
	b, err := broker.New(broker.Options{
		Config: &config.Config{Destinations: map[string]*config.Destination{"logs": {Name: "logs", Role: "arn:aws:iam::111122223333:role/up",
			Region: "eu-west-1"}}},
		Issuer: s, Rand: rng,
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if err := b.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return func(ctx context.Context) error {
		session, err := b.Session(ctx, "logs")
		if err != nil {
			return err
		}
		return usable(session.Expires)
	}
}

// sdkKeeps is the SDK's cache, with the expiry window that its documentation suggests.
func sdkKeeps(_ context.Context, _ *testing.T, s *sts, _ *rand.Rand) func(context.Context) error {
	cache := aws.NewCredentialsCache(s, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
	return func(ctx context.Context) error {
		// The cache subtracts the window from the expiry that it reports.
		_, err := cache.Retrieve(ctx)
		return err
	}
}

// specKeeps is the rule that AWS published for its SDKs in 2026: refresh in an advisory
// window, require the refresh in the last minute, and wait 5 to 10 minutes after each
// failure.
func specKeeps(_ context.Context, _ *testing.T, s *sts, rng *rand.Rand) func(context.Context) error {
	var expires, notBefore time.Time
	advisory := time.Hour
	switch {
	case s.life <= 20*time.Minute:
		advisory = 5 * time.Minute
	case s.life < 90*time.Minute:
		advisory = 15 * time.Minute
	}
	return func(context.Context) error {
		now := time.Now()
		if expires.Sub(now) <= advisory && !now.Before(notBefore) {
			if next, err := s.assume(); err == nil {
				expires = next
			} else {
				notBefore = now.Add(5*time.Minute + time.Duration(rng.Int64N(int64(5*time.Minute))))
			}
		}
		return usable(expires)
	}
}

// usable returns the error that AWS gives for a session with this expiry.
func usable(expires time.Time) error {
	if !time.Now().Before(expires) {
		return errors.New("the session has expired")
	}
	return nil
}

// result counts the effects of one outage on the daemons of one keeper.
type result struct {
	hit    int // daemons whose callers saw an error
	errors int // seconds with an error, of all daemons together
	calls  int // of STS
}

// endure simulates n daemons in an outage, in virtual time, with one call a second each.
func (o outage) endure(t *testing.T, k keeper, n int) (r result) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		rng := rand.New(rand.NewPCG(2026, uint64(o.session+o.down)))
		began := time.Now()
		services := make([]*sts, n)
		ask := make([]func(context.Context) error, n)
		failed := make([]int, n)
		for i := range n {
			from := began.Add(o.session + time.Duration(rng.Int64N(int64(o.session))))
			services[i] = &sts{life: o.session, from: from, to: from.Add(o.down)}
			ask[i] = k.start(ctx, t, services[i], rand.New(rand.NewPCG(rng.Uint64(), 1)))
		}
		end := began.Add(2*o.session + o.down + 15*time.Minute)
		for time.Now().Before(end) {
			for i := range n {
				if err := ask[i](ctx); err != nil {
					failed[i]++
				}
			}
			time.Sleep(time.Second)
		}
		cancel()
		synctest.Wait()
		for i := range n {
			r.errors += failed[i]
			r.calls += services[i].calls
			if failed[i] > 0 {
				r.hit++
			}
		}
	})
	return r
}

// TestOutages prints, for each outage and each way to refresh a session, the number of
// daemons whose callers see an error:
//
//	go test -run TestOutages -v ./bench -args -daemons 4000
//
// It simplifies one thing only: keys work until the moment they expire.
func TestOutages(t *testing.T) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "session\tSTS down\tkept by\tdaemons with errors\tmean error seconds\tSTS calls a daemon")
	for _, o := range outages {
		for _, k := range keepers {
			r := o.endure(t, k, *daemons)
			n := float64(*daemons)
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%.1f %%\t%.1f\t%.1f\n", o.session, o.down, k.name, 100*float64(r.hit)/n, float64(r.errors)/n,
				float64(r.calls)/n)
			if k.name == "brokerd" && o.survived && r.hit > 0 {
				t.Errorf("%s sessions, %s without STS: %d of %d daemons fail their callers", o.session, o.down, r.hit, *daemons)
			}
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d daemons, one call a second\n%s", *daemons, table.String())
}
