package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/config"
)

const (
	// variantCache bounds the sessions that are not pinned by a configured destination.
	variantCache = 256
	// invalidateEvery bounds how often a rejected key may force a refresh.
	invalidateEvery = 30 * time.Second
	// stopGrace is how long open flights may take when the broker stops.
	stopGrace = 5 * time.Second
)

// Observer hears of every finished refresh. Calls come from several goroutines.
type Observer interface {
	// SessionRefreshed reports one refresh of the session that destinations share; err is nil on success.
	SessionRefreshed(destinations []string, s *Session, err error, took time.Duration)
}

// Options are what a Broker is made of. Config is required, and HTTPClient or Issuer.
type Options struct {
	Config     *config.Config
	HTTPClient *awshttp.BuildableClient
	Logger     *zap.Logger // nil: silent
	Observer   Observer    // nil: none
	Rand       *rand.Rand  // nil: seeded by the runtime
	Issuer     Issuer      // nil: STS, by way of HTTPClient
}

// Broker holds the sessions of all configured destinations. All methods may be
// called from several goroutines.
type Broker struct {
	issuer   Issuer
	log      *zap.Logger
	observer Observer
	clock    clock
	agenda   *agenda
	busy     atomic.Int32 // workers at work
	flyingMu sync.Mutex
	flying   map[sessionKey]*flight // the latest flight of each key, as long as it lasts

	// set is what the present configuration asks for. It is immutable: a reload
	// swaps it, readers never lock.
	set      atomic.Pointer[set]
	reloadMu sync.Mutex // one reload at a time
	// variants holds the sessions that are handed to peers, one per destination
	// and user. What configured destinations use is pinned and never evicted.
	variants *lru.Cache[sessionKey, *entry]

	rng *rand.Rand

	wakeup    chan struct{}
	beat      atomic.Int64 // when the scheduler last looked, Unix nanoseconds
	flightCtx context.Context
	cancel    context.CancelFunc
	flights   sync.WaitGroup
	stopMu    sync.Mutex
	stopped   bool
}

// New makes a Broker for the destinations of the configuration. It makes no call;
// Run primes the sessions.
func New(o Options) (*Broker, error) {
	if o.Config == nil || o.HTTPClient == nil && o.Issuer == nil {
		return nil, errors.New("broker: Config is required, and HTTPClient or Issuer")
	}
	if o.Issuer == nil {
		o.Issuer = newSTSIssuer(o.HTTPClient)
	}
	return newBroker(o, o.Issuer)
}

func newBroker(o Options, is Issuer) (*Broker, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Broker{
		issuer: is, log: o.Logger, observer: o.Observer,
		agenda: newAgenda(), flying: make(map[sessionKey]*flight),
		rng: rand.New(&lockedSource{rng: o.Rand}), wakeup: make(chan struct{}, 1), flightCtx: ctx, cancel: cancel,
	}
	var err error
	if b.variants, err = lru.NewWithEvict(variantCache, b.evicted); err != nil {
		cancel()
		return nil, fmt.Errorf("broker: making the session cache: %w", err)
	}
	first := newSet(o.Config, nil)
	b.set.Store(first)
	b.logScopes(first)
	for _, e := range first.pinned {
		b.plan(e)
	}
	return b, nil
}

// evicted takes a variant that the cache let go of off the agenda.
func (b *Broker) evicted(_ sessionKey, e *entry) {
	e.gone.Store(true)
	b.agenda.plan(e, func() time.Time { return time.Time{} })
}

// lockedSource lets several goroutines share one injected generator.
type lockedSource struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (s *lockedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Uint64()
}
