package uploader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

// Sessions is the part of the broker that the uploader uses.
type Sessions interface {
	Credentials(destination string) aws.CredentialsProvider
	Invalidate(destination, accessKeyID string)
	AwaitReplacement(ctx context.Context, destination, accessKeyID string) (*broker.Session, error)
}

// Options configure an Uploader. Config, Sessions and Budget are required.
type Options struct {
	Config   *config.Config
	Sessions Sessions
	Budget   *Budget
	Logger   *zap.Logger
	Host     string // for {host} in keys; empty: the machine's name
	Version  string // for the User-Agent
	// Orphans records the multipart uploads of streams in flight, so that they are
	// aborted after a crash; nil: in memory, and a crash leaves them to the bucket's
	// lifecycle rule.
	Orphans *OrphanLog
}

// Uploader delivers objects to the configured destinations. Its methods may be
// called from several goroutines.
type Uploader struct {
	// destinations is swapped whole by a reload; a delivery keeps the one it began with.
	destinations atomic.Pointer[map[string]*destination]
	opts         Options
	sessions     Sessions
	budget       *Budget
	log          *zap.Logger

	reloading  sync.Mutex
	transports map[transportKey]*s3client.Transport // guarded by reloading; outlive a reload

	life context.Context
	end  context.CancelFunc
}

// New returns an Uploader. It makes no call.
func New(o Options) (*Uploader, error) {
	if o.Config == nil || o.Sessions == nil || o.Budget == nil {
		return nil, errors.New("uploader: Config, Sessions and Budget are required")
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Orphans == nil {
		o.Orphans = NewVolatileOrphanLog(o.Logger)
	}
	if o.Host == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("uploader: reading the host name for {host}: %w", err)
		}
		o.Host = host
	}
	u := &Uploader{opts: o, sessions: o.Sessions, budget: o.Budget, log: o.Logger, transports: make(map[transportKey]*s3client.Transport)}
	u.life, u.end = context.WithCancel(context.Background())
	first, err := u.Prepare(o.Config)
	if err != nil {
		return nil, err
	}
	first.Commit()
	return u, nil
}

// Close ends the deliveries that continued without their callers.
func (u *Uploader) Close() {
	u.end()
	u.opts.Orphans.close()
	u.reloading.Lock()
	defer u.reloading.Unlock()
	for _, t := range u.transports {
		t.CloseIdleConnections()
	}
}

func (u *Uploader) destination(name string) (*destination, error) {
	to, ok := (*u.destinations.Load())[name]
	if !ok {
		return nil, fmt.Errorf("destination %q: %w", name, broker.ErrUnknownDestination)
	}
	return to, nil
}

// detached returns a context that ends with the uploader, and not with the caller. It
// has no deadline: the S3 client ends a call that makes no progress.
func (u *Uploader) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(u.life, cancel)
	return ctx, func() { unhook(); cancel() }
}
