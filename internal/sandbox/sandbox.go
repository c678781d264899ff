package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/sandbox/admin"
	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// shutdownGrace is how long open requests may finish once Run's context ended.
const shutdownGrace = time.Second

// Sandbox is two AWS accounts behind one listener. All methods are safe for
// concurrent use.
type Sandbox struct {
	services  services
	listener  net.Listener
	server    *http.Server
	caPEM     []byte
	tlsConfig *tls.Config // nil: plain http
	dir       string

	admin      http.Handler
	adminToken string
	stopping   chan struct{} // closed when the sandbox begins to stop

	lifeMu  sync.Mutex
	stop    context.CancelFunc // set by Start
	done    chan struct{}      // closed when the goroutine of Start ended
	runErr  error
	closed  bool
	running bool

	endpoints []*vpcListener
}

// New makes the accounts and binds the listener; nothing is served before Run or Start.
// Close must be called, also when Run was.
func New(opts Options) (*Sandbox, error) {
	if opts.Addr == "" {
		opts.Addr = DefaultAddr
	}
	host, _, err := net.SplitHostPort(opts.Addr)
	if err != nil {
		return nil, fmt.Errorf("sandbox address %q: %w", opts.Addr, err)
	}
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf(
			"sandbox address %q is not a loopback address: use 127.0.0.1, for the sandbox gives root keys to every client that can connect",
			opts.Addr,
		)
	}
	s := &Sandbox{adminToken: kernel.NewSecret(), stopping: make(chan struct{})}
	s.admin = admin.Handler(s, s.adminToken)
	if opts.DataDir == "" {
		if s.dir, err = os.MkdirTemp(opts.Dir, "brokerd-sandbox-"); err != nil {
			return nil, fmt.Errorf("making the sandbox's directory: %w", err)
		}
	}
	if err := s.services.open(opts, s.dir); err != nil {
		return nil, errors.Join(err, s.removeDir())
	}
	listener, err := net.Listen("tcp", opts.Addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox listening on %s: %w", opts.Addr, err), s.services.k.Store.Close(), s.removeDir())
	}
	s.server = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 20 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       s.services.k.MarkEndpoint,
		// Refused handshakes and closed connections are for the client to report.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	if !opts.PlainHTTP {
		caPEM, leaf, err := newCertificate(opts.Region, ip, time.Now())
		if err != nil {
			return nil, errors.Join(err, listener.Close(), s.services.k.Store.Close(), s.removeDir())
		}
		s.caPEM = caPEM
		// HTTP/1.1 only, as S3 speaks.
		s.tlsConfig = &tls.Config{
			Certificates: []tls.Certificate{leaf},
			MinVersion:   tls.VersionTLS12,
			NextProtos:   []string{"http/1.1"},
		}
		listener = tls.NewListener(listener, s.tlsConfig)
	}
	s.listener = listener
	return s, nil
}

// Run serves until ctx ends, lets open requests finish for a few seconds, and
// returns. It returns nil when ctx ended. It may be called once.
func (s *Sandbox) Run(ctx context.Context) error {
	if !s.claim() {
		return errRun
	}
	return s.run(ctx)
}

var errRun = errors.New("sandbox: already run or closed")

// claim reports whether the caller may serve; it returns true once.
func (s *Sandbox) claim() bool {
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.running || s.closed {
		return false
	}
	s.running = true
	return true
}

func (s *Sandbox) run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("sandbox serving on %s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
	}
	close(s.stopping)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	err := s.server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close() // cut the connections that are still open
	}
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	if err != nil {
		return fmt.Errorf("stopping the sandbox: %w", err)
	}
	return nil
}

// Start runs the sandbox in a goroutine that Close ends. It does nothing when
// the sandbox already runs or is closed.
func (s *Sandbox) Start() {
	if !s.claim() {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.lifeMu.Lock()
	s.stop, s.done = cancel, done
	s.lifeMu.Unlock()
	go func() {
		defer close(done)
		err := s.run(ctx)
		s.lifeMu.Lock()
		defer s.lifeMu.Unlock()
		s.runErr = err
	}()
}

// Close stops what Start began, closes the listener and removes the bodies on
// disk. When Run was called by the user, Close must come after it returned.
func (s *Sandbox) Close() error {
	s.lifeMu.Lock()
	if s.closed {
		s.lifeMu.Unlock()
		return nil
	}
	s.closed = true
	stop, done := s.stop, s.done
	s.lifeMu.Unlock()
	var err error
	if stop != nil {
		stop()
		<-done
		s.lifeMu.Lock()
		err = s.runErr
		s.lifeMu.Unlock()
	} else if closeErr := s.listener.Close(); closeErr != nil && !errors.Is(closeErr, net.ErrClosed) {
		err = closeErr
	}
	return errors.Join(err, s.server.Close(), s.closeEndpoints(), s.services.writeState(), s.services.k.Store.Close(), s.removeDir())
}

// removeDir removes the directory of bodies that end with the process.
func (s *Sandbox) removeDir() error {
	if s.dir == "" {
		return nil
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("removing the sandbox's directory: %w", err)
	}
	return nil
}

// Endpoint is the base URL of all services, for example https://127.0.0.1:41234.
func (s *Sandbox) Endpoint() string {
	scheme := "https"
	if s.services.opts.PlainHTTP {
		scheme = "http"
	}
	return scheme + "://" + s.listener.Addr().String()
}

// CABundlePEM is the certificate to trust; nil with PlainHTTP.
func (s *Sandbox) CABundlePEM() []byte { return append([]byte(nil), s.caPEM...) }

// AccountA is the id of the caller's account.
func (s *Sandbox) AccountA() string { return s.services.opts.AccountA }

// AccountB is the id of the account of bucket and key.
func (s *Sandbox) AccountB() string { return s.services.opts.AccountB }

// Region is the home region.
func (s *Sandbox) Region() string { return s.services.opts.Region }

// RootKeys are the access keys of an account's root user; zero for an unknown account.
func (s *Sandbox) RootKeys(account string) kernel.Credentials {
	return s.services.iam.RootKeysOf(account)
}
