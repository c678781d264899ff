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
	// variantCache is how many sessions of peers are kept. Sessions of configured
	// destinations do not count.
	variantCache = 256
	// invalidateEvery is the least time between two refreshes that a rejected key forces.
	invalidateEvery = 30 * time.Second
	// stopGrace is how long calls in flight may take when the broker stops.
	stopGrace = 5 * time.Second
)

// Observer is told of every finished refresh. Calls come from several goroutines.
type Observer interface {
	// SessionRefreshed reports one refresh of the session that destinations share; err is
	// nil on success.
	SessionRefreshed(destinations []string, s *Session, err error, took time.Duration)
}

// Options configure a Broker. Config is required, and HTTPClient or Issuer.
type Options struct {
	Config     *config.Config
	HTTPClient *awshttp.BuildableClient
	Logger     *zap.Logger // nil: no log
	Observer   Observer    // nil: none
	Rand       *rand.Rand  // nil: seeded by the runtime
	Issuer     Issuer      // nil: STS, through HTTPClient
}

// Broker holds the sessions of all configured destinations. All methods may be
// called from several goroutines.
type Broker struct {
	issuer     Issuer
	log        *zap.Logger
	observer   Observer
	clock      clock
	queue      *refreshQueue
	busy       atomic.Int32 // background refreshes that run
	inFlightMu sync.Mutex
	inFlight   map[sessionKey]*flight // the latest flight of each key

	// set holds the destinations of the current configuration. It is immutable: a reload
	// swaps it, and readers take no lock.
	set      atomic.Pointer[set]
	reloadMu sync.Mutex // held during a reload
	// variants holds the sessions that peers were given, one per destination and user.
	// Sessions of configured destinations are pinned in set and never evicted.
	variants *lru.Cache[sessionKey, *entry]

	rng *rand.Rand

	wakeup    chan struct{}
	beat      atomic.Int64 // last pass of the scheduler, Unix nanoseconds
	flightCtx context.Context
	cancel    context.CancelFunc
	flights   sync.WaitGroup
	stopMu    sync.Mutex
	stopped   bool
}

// New returns a Broker for the destinations of the configuration. It makes no call;
// Run fetches the first sessions.
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
		queue: newRefreshQueue(), inFlight: make(map[sessionKey]*flight),
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
		b.schedule(e)
	}
	return b, nil
}

// evicted removes a variant from the queue after the cache has evicted it.
func (b *Broker) evicted(_ sessionKey, e *entry) {
	e.removed.Store(true)
	b.queue.schedule(e, func() time.Time { return time.Time{} })
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
