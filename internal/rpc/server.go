package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/filereader"
	"github.com/brokerd/brokerd/internal/health"
	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/spool"
	"github.com/brokerd/brokerd/internal/unixsock"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// Spool keeps accepted objects until they are delivered; spool.Spool does.
type Spool interface {
	intake.Spool
	List(f spool.Filter) iter.Seq[spool.Status]
	Retry(destination string, ids ...string) (int, error)
	Export(ctx context.Context, id string, w io.Writer) (int64, error)
	Drop(ctx context.Context, id string, force bool) error
}

// Sessions are the calls of the broker that the services need.
type Sessions interface {
	Statuses() []broker.Status
	Refresh(ctx context.Context, destination string) (broker.Status, error)
}

// Files reads the files that peers hand over; filereader.Reader does.
type Files interface {
	Open(ctx context.Context, q filereader.Request) (f *filereader.File, taken bool, err error)
}

// Options are the parts of a Server. All are required except Spool, which only
// destinations that spool need, Files, Watches, Parts, LogState, Verified, Audit and the interceptors.
type Options struct {
	Config      *config.Config
	Access      access.Compiler
	Deliver     intake.Deliverer
	Spool       Spool
	Admission   intake.Admission
	Sessions    Sessions
	Credentials Credentials
	Watches     Watches // nil: there are none
	// Files reads files that are handed over; nil: they are refused, and come as streams.
	Files Files
	// Parts reports which further parts of the daemon are up, for health; nil: there are none.
	Parts func() map[string]bool
	// LogState returns the dropped lines of the log, and since when its reader takes
	// nothing (zero while it keeps up); nil: not known.
	LogState func() (dropped uint64, stalledSince time.Time)
	// Reload reads the configuration file again; see Server.Prepare.
	Reload func() (config.Changes, error)
	Verify Verifier
	// Verified returns the findings of the daemon's own verification, by destination;
	// nil: there is none.
	Verified func() map[string]*brokerdv1.Verification
	Meter    intake.Meter
	Stats    *health.Stats
	Logger   *zap.Logger
	Audit    Auditor // nil: audit lines go to Logger
	Version  string
	// Quota holds the shares of users, and Lines limits the log lines that they cause; nil:
	// the server has its own.
	Quota *quota.Ledger
	Lines *quota.Lines
	// Unary and Stream wrap every call, outermost first.
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor

	messageTimeout time.Duration   // 0: that of the constant
	frames         *quota.Balances // nil: those of the constants
}

// streamWindow bounds the unread bytes of a stream. An upload that is not read stops
// its sender. The bytes are no part of the memory budget, so that a larger window costs
// memory for every stream; below 256 KiB a single stream becomes slower.
const streamWindow = 256 << 10

// maxMessage is above intake.MaxChunk and maxPolicies, so that the error of a slightly
// larger chunk or document can name the limit. gRPC holds a message that is on its way.
const maxMessage = 576 << 10

const (
	// maxHeaderList bounds the header fields of a call, in bytes. gRPC's own limit is 16 MiB.
	maxHeaderList = 16 << 10
	// handshakeTimeout is how long a new connection may take until HTTP/2 is agreed on.
	handshakeTimeout = 10 * time.Second
	// idleConnection is how long a connection may have no call. A client connects again.
	idleConnection = 5 * time.Minute
	// connectionAge is after which a connection takes no new calls. Open calls go on.
	connectionAge = time.Hour
)

// streamWorkers is the number of goroutines that gRPC keeps for streams. Their stacks
// have grown already.
const streamWorkers = 16

// Server is the gRPC server on the socket.
type Server struct {
	o        Options
	policy   *policy
	intake   *intake.Intake
	grpc     *grpc.Server
	health   *grpchealth.Server
	started  time.Time
	files    *handover
	quota    *quota.Ledger
	resets   *quota.Rates
	verifies *quota.Rates
	frames   *quota.Balances
	lines    *quota.Lines
}

// NewServer makes a server. Serve runs it.
func NewServer(o Options) (*Server, error) {
	if o.Config == nil || o.Sessions == nil || o.Credentials == nil || o.Reload == nil || o.Verify == nil || o.Stats == nil ||
		o.Logger == nil {
		return nil, errors.New("rpc: an option is missing")
	}
	rules, err := o.Access.Compile(o.Config)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, policy: &policy{}, health: grpchealth.NewServer(), started: time.Now()}
	s.account(rules)
	s.policy.lines = s.lines
	s.policy.current.Store(&configuration{o.Config, rules})
	if s.intake, err = intake.New(intake.Options{
		Policy: s.policy, Deliver: o.Deliver, Spool: o.Spool, Admission: o.Admission, Stats: o.Stats, Meter: o.Meter, Logger: o.Logger,
		Lines: s.lines,
	}); err != nil {
		return nil, err
	}
	s.files = newHandover(s)
	s.grpc = grpc.NewServer(
		grpc.Creds(peerCredentials{s.files}),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.InTapHandle(s.open),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.MaxHeaderListSize(maxHeaderList),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(uint32(o.Admission.MaxUploads())+64),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(4<<20),
		grpc.WaitForHandlers(true),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleConnection, MaxConnectionAge: connectionAge}),
		grpc.ChainUnaryInterceptor(append(o.Unary, s.guardUnary)...),
		grpc.ChainStreamInterceptor(append(o.Stream, s.guardStream)...),
	)
	brokerdv1.RegisterBrokerServiceServer(s.grpc, &brokerService{s: s})
	brokerdv1.RegisterAdminServiceServer(s.grpc, &adminService{s: s})
	healthpb.RegisterHealthServer(s.grpc, visibleHealth{s.health, s})
	if o.Config.Socket.Reflection {
		reflection.Register(s.grpc)
	}
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	for name := range o.Config.Destinations { // a client may ask before the first sessions are there
		s.health.SetServingStatus(name, healthpb.HealthCheckResponse_NOT_SERVING)
	}
	return s, nil
}

// Intake returns the part that takes uploads in, for uploads of the daemon itself.
func (s *Server) Intake() *intake.Intake { return s.intake }

// GRPC returns the underlying server, so that its metrics can be initialised.
func (s *Server) GRPC() *grpc.Server { return s.grpc }

// Serve answers on l until Stop. It returns nil after Stop.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(unixsock.Guard(l, s.admit)); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	}
	return nil
}

// Stop refuses new uploads at once and lets open calls finish until ctx ends. Then it
// cuts them, and their uploads abort. It returns when all handlers have returned, and
// reports whether they finished by themselves.
func (s *Server) Stop(ctx context.Context) (finished bool) {
	s.intake.Stop()
	s.health.Shutdown()
	defer s.intake.Close() // no handler is left then
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		s.files.cut()
		s.grpc.Stop()
		<-done
		return false
	}
}
