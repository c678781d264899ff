package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
)

const (
	defaultPartSize    = 8 << 20
	defaultConcurrency = 4
)

// Sessions is what the uploader needs of the broker.
type Sessions interface {
	Credentials(destination string) aws.CredentialsProvider
	Invalidate(destination, accessKeyID string)
	Replaced(ctx context.Context, destination, accessKeyID string) (*broker.Session, error)
}

// Options are what an Uploader is made of. All but Logger, Host and Version are required.
type Options struct {
	Config     *config.Config
	HTTPClient *awshttp.BuildableClient
	Sessions   Sessions
	Budget     *Budget
	Logger     *zap.Logger
	Host       string // fills {host}; empty: the machine's name
	Version    string // for the User-Agent
}

// Uploader delivers objects to the configured destinations. Its methods may be
// called from several goroutines.
type Uploader struct {
	// lanes are swapped whole by Reload; a delivery keeps the one it began with.
	lanes    atomic.Pointer[map[string]*lane]
	opts     Options
	sessions Sessions
	budget   *Budget
	log      *zap.Logger
	host     string

	life context.Context
	end  context.CancelFunc
}

// lane is one destination with its client.
type lane struct {
	dest        *config.Destination
	client      *s3.Client
	credentials *lingering
}

// New makes an Uploader. It makes no call.
func New(o Options) (*Uploader, error) {
	if o.Config == nil || o.HTTPClient == nil || o.Sessions == nil || o.Budget == nil {
		return nil, errors.New("uploader: Config, HTTPClient, Sessions and Budget are required")
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("uploader: reading the host name for {host}: %w", err)
		}
		o.Host = host
	}
	u := &Uploader{opts: o, sessions: o.Sessions, budget: o.Budget, log: o.Logger, host: o.Host}
	u.life, u.end = context.WithCancel(context.Background())
	u.Reload(o.Config)
	return u, nil
}

// Reload delivers to the destinations of another configuration from now on.
// Deliveries under way end as they began.
func (u *Uploader) Reload(c *config.Config) {
	lanes := make(map[string]*lane, len(c.Destinations))
	for name, d := range c.Destinations {
		endpoint := d.Endpoints.S3
		if endpoint == "" {
			endpoint = c.AWS.Endpoints.S3
		}
		credentials := &lingering{present: u.sessions.Credentials(name)}
		lanes[name] = &lane{dest: d, credentials: credentials, client: newClient(d, endpoint, credentials, u.opts)}
	}
	u.lanes.Store(&lanes)
}

// newClient builds the S3 client of one destination. Each has a retryer of its
// own, so that one bucket's outage does not drain another's retry quota.
func newClient(d *config.Destination, endpoint string, credentials aws.CredentialsProvider, o Options) *s3.Client {
	cfg := aws.Config{
		Region:                     d.Region,
		HTTPClient:                 expecting{o.HTTPClient},
		Credentials:                credentials,
		Retryer:                    func() aws.Retryer { return retry.NewStandard() },
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		AppID:                      "brokerd/" + o.Version,
	}
	return s3.NewFromConfig(cfg, func(so *s3.Options) {
		so.UsePathStyle = d.PathStyle
		if endpoint != "" {
			so.BaseEndpoint = aws.String(endpoint)
		}
	})
}

// Close ends deliveries that outlived their callers.
func (u *Uploader) Close() { u.end() }

// Put delivers one object. It returns an *Error when AWS or the network failed,
// a *MismatchError when S3 confirmed something else, the body's own error
// unchanged inside the chain when that failed, or ctx's.
// The caller has been admitted by the budget.
func (u *Uploader) Put(ctx context.Context, destination string, obj Object, body Body) (Stored, error) {
	l, ok := (*u.lanes.Load())[destination]
	if !ok {
		return Stored{}, fmt.Errorf("destination %q: %w", destination, broker.ErrUnknownDestination)
	}
	key, err := l.dest.KeyTemplate.Render(config.KeyValues{
		Host: u.host, Time: obj.Received, Name: obj.Name, ID: obj.ID, UID: obj.UID,
	})
	if err != nil {
		return Stored{}, fmt.Errorf("destination %q: making the key: %w", destination, err)
	}
	// Credentials first: there is no use in taking bytes that cannot be delivered,
	// and with these the delivery ends even when a reload removes the destination
	// before the first call.
	if _, err := l.credentials.Retrieve(ctx); err != nil {
		return Stored{}, err
	}
	d := &delivery{u: u, lane: l, obj: obj, key: key, body: body, metadata: metadata(obj)}
	return d.run(ctx)
}

func metadata(obj Object) map[string]string {
	m := maps.Clone(obj.Metadata)
	if m == nil {
		m = make(map[string]string, 1)
	}
	m["brokerd-id"] = obj.ID
	return m
}

// detached ends with the uploader, not with the caller.
func (u *Uploader) detached(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	unhook := context.AfterFunc(u.life, cancel)
	return ctx, func() { unhook(); cancel() }
}

// ended tells the end of a body from its failure.
func ended(err error) (end bool, failure error) {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return true, nil
	}
	return false, err
}
