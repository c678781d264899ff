package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
)

// Sessions is what the uploader needs of the broker.
type Sessions interface {
	Credentials(destination string) aws.CredentialsProvider
	Invalidate(destination, accessKeyID string)
	Replaced(ctx context.Context, destination, accessKeyID string) (*broker.Session, error)
}

// Options are what an Uploader is made of. Config, Sessions and Budget are required.
type Options struct {
	Config   *config.Config
	Sessions Sessions
	Budget   *Budget
	Logger   *zap.Logger
	Host     string // fills {host}; empty: the machine's name
	Version  string // for the User-Agent
	// Leftovers remembers multipart uploads of streams over a crash; nil: a crash
	// leaves them to the bucket's lifecycle rule.
	Leftovers *Leftovers
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

	reloading sync.Mutex
	ways      map[way]*wayOut // guarded by reloading; the connections outlive a reload

	life context.Context
	end  context.CancelFunc
}

// New makes an Uploader. It makes no call.
func New(o Options) (*Uploader, error) {
	if o.Config == nil || o.Sessions == nil || o.Budget == nil {
		return nil, errors.New("uploader: Config, Sessions and Budget are required")
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
	u := &Uploader{opts: o, sessions: o.Sessions, budget: o.Budget, log: o.Logger, host: o.Host, ways: make(map[way]*wayOut)}
	u.life, u.end = context.WithCancel(context.Background())
	first, err := u.Prepare(o.Config)
	if err != nil {
		return nil, err
	}
	first.Commit()
	return u, nil
}

// Close ends deliveries that outlived their callers.
func (u *Uploader) Close() {
	u.end()
	u.opts.Leftovers.close()
	u.reloading.Lock()
	defer u.reloading.Unlock()
	for _, w := range u.ways {
		w.transport.CloseIdleConnections()
	}
}

func (u *Uploader) lane(destination string) (*lane, error) {
	l, ok := (*u.lanes.Load())[destination]
	if !ok {
		return nil, fmt.Errorf("destination %q: %w", destination, broker.ErrUnknownDestination)
	}
	return l, nil
}

// Open decides what of an object its destination decides, its key above all, and
// compresses the body where the destination wants that. It is asked once, when the
// object is accepted: a later try must not ask again, for another day or another
// configuration would make it another object. done gives back what compressing
// takes; call it when the body is not read any more.
func (u *Uploader) Open(ctx context.Context, destination string, obj *Object, body Body) (encoded Body, done func(), err error) {
	l, err := u.lane(destination)
	if err != nil {
		return nil, nil, err
	}
	if err := l.fix(u.host, obj); err != nil {
		return nil, nil, err
	}
	return u.encode(ctx, l, obj, body)
}

// Put delivers one object while its body comes in. It returns an *Error when AWS
// or the network failed, a *MismatchError when S3 confirmed something else, the
// body's own error unchanged inside the chain when that failed, or ctx's.
// The caller has been admitted by the budget, and obj comes from Open.
func (u *Uploader) Put(ctx context.Context, destination string, obj Object, body Body) (Stored, error) {
	l, err := u.lane(destination)
	if err != nil {
		return Stored{}, err
	}
	if obj.Key == "" {
		return Stored{}, fmt.Errorf("destination %q: the object has no key: it was not opened", destination)
	}
	// Credentials first: there is no use in taking bytes that cannot be delivered,
	// and with these the delivery ends even when a reload removes the destination
	// before the first call.
	if _, err := l.credentials.Retrieve(ctx); err != nil {
		return Stored{}, err
	}
	d := &delivery{u: u, lane: l, obj: obj, body: body}
	return d.run(ctx)
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
