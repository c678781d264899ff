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
	"golang.org/x/time/rate"

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

// Options are what a Broker is made of. Config and HTTPClient are required.
type Options struct {
	Config     *config.Config
	HTTPClient *awshttp.BuildableClient
	Logger     *zap.Logger // nil: silent
	Observer   Observer    // nil: none
	Rand       *rand.Rand  // nil: seeded by the runtime
}

// Broker holds the sessions of all configured destinations. All methods may be
// called from several goroutines.
type Broker struct {
	issuer   issuer
	log      *zap.Logger
	observer Observer
	limiter  *rate.Limiter

	// set is what the present configuration asks for. It is immutable: Reload
	// swaps it, readers never lock.
	set      atomic.Pointer[set]
	reloadMu sync.Mutex // one Reload at a time
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
	if o.Config == nil || o.HTTPClient == nil {
		return nil, errors.New("broker: Config and HTTPClient are required")
	}
	return newBroker(o, newSTSIssuer(o.Config.AWS, o.HTTPClient))
}

func newBroker(o Options, is issuer) (*Broker, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	variants, err := lru.New[sessionKey, *entry](variantCache)
	if err != nil {
		return nil, fmt.Errorf("broker: making the session cache: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &Broker{
		issuer: is, log: o.Logger, observer: o.Observer,
		limiter:  rate.NewLimiter(5, 10),
		variants: variants,
		rng:      rand.New(&lockedSource{rng: o.Rand}), wakeup: make(chan struct{}, 1), flightCtx: ctx, cancel: cancel,
	}
	b.set.Store(newSet(o.Config, nil))
	return b, nil
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
