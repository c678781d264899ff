package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
	"github.com/brokerd/brokerd/internal/vend"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// Deliverer delivers objects; uploader.Uploader does.
type Deliverer interface {
	Open(ctx context.Context, destination string, obj uploader.Object, body uploader.Body) (*uploader.Delivery, error)
	Put(ctx context.Context, d *uploader.Delivery) (uploader.Stored, error)
}

// Gate admits uploads; uploader.Budget does.
type Gate interface {
	Admit() (*uploader.Slot, error)
	MaxUploads() int
	Total() int64
	Used() (bytes int64, uploads int)
}

// Sessions is what the services need of the broker.
type Sessions interface {
	Statuses() []broker.Status
	Refresh(ctx context.Context, destination string) (broker.Status, error)
}

// Desk hands out credentials; vend.Desk does.
type Desk interface {
	Hand(ctx context.Context, c vend.Caller, destination string) (*broker.Session, error)
}

// Verifier proves the path of the request's destination and emits one message
// per check, and a summary when it is asked for.
type Verifier interface {
	Verify(ctx context.Context, req *brokerdv1.VerifyAccessRequest, emit func(*brokerdv1.VerifyAccessResponse) error) error
}

// Meter counts uploads.
type Meter interface {
	UploadSpooled(destination string, bytes int64)
	UploadEnded(destination, reason string, bytes int64, took time.Duration)
}

// Options are what a Server is made of. All are required but Spool, which only
// destinations that spool need, Parts, Verified and the interceptors.
type Options struct {
	Config   *config.Config
	Access   access.Compiler
	Deliver  Deliverer
	Spool    Spool
	Gate     Gate
	Sessions Sessions
	Desk     Desk
	// Parts says which further parts of the daemon are up, for health; nil: there are none.
	Parts func() map[string]bool
	// Reload reads the configuration file again; see Server.Prepare.
	Reload func() (config.Changes, error)
	Verify Verifier
	// Verified is what the daemon's own verification found, by destination; nil: it has none.
	Verified func() map[string]*brokerdv1.Verification
	Meter    Meter
	Ledger   *Ledger
	Logger   *zap.Logger
	Version  string
	// Unary and Stream are put around every call, outermost first.
	Unary  []grpc.UnaryServerInterceptor
	Stream []grpc.StreamServerInterceptor
}

// streamWindow is how much of a stream may lie unread, in bytes.
const streamWindow = 256 << 10

const streamWorkers = 16

// Server is the gRPC server on the socket.
type Server struct {
	o        Options
	now      atomic.Pointer[present]
	grpc     *grpc.Server
	health   *health.Server
	started  time.Time
	stopping atomic.Bool
	draining atomic.Bool
	// watching ends with Stop: calls that only watch must not hold it up.
	watching  context.Context
	unwatch   context.CancelFunc
	files     *handover
	receivers *receivers
}

// NewServer makes a server. Serve runs it.
func NewServer(o Options) (*Server, error) {
	if o.Config == nil || o.Deliver == nil || o.Gate == nil || o.Sessions == nil || o.Desk == nil ||
		o.Reload == nil || o.Verify == nil || o.Meter == nil || o.Ledger == nil || o.Logger == nil {
		return nil, errors.New("rpc: an option is missing")
	}
	rules, err := o.Access.Compile(o.Config)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, health: health.NewServer(), started: time.Now(), receivers: newReceivers()}
	s.now.Store(&present{o.Config, rules})
	s.watching, s.unwatch = context.WithCancel(context.Background())
	s.files = newHandover(s)
	s.grpc = grpc.NewServer(
		grpc.Creds(peerCredentials{s.files}),
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(uint32(o.Gate.MaxUploads())+64),
		// Unread bytes of a stream are bounded: not reading is the backpressure. They
		// are no part of the body budget, so a larger window costs every stream its
		// memory; below 256 KiB a single stream gets slower.
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(4<<20),
		grpc.WaitForHandlers(true),
		// Uploads in small numbers find a goroutine whose stack has grown already.
		grpc.NumStreamWorkers(streamWorkers),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(append(o.Unary, s.guardUnary)...),
		grpc.ChainStreamInterceptor(append(o.Stream, s.guardStream)...),
	)
	brokerdv1.RegisterBrokerServiceServer(s.grpc, &brokerService{s: s})
	brokerdv1.RegisterAdminServiceServer(s.grpc, &adminService{s: s})
	healthpb.RegisterHealthServer(s.grpc, s.health)
	reflection.Register(s.grpc)
	s.health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	return s, nil
}

// GRPC is the underlying server, for metrics to be initialised.
func (s *Server) GRPC() *grpc.Server { return s.grpc }

// Serve answers on l until Stop. It returns nil after Stop.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving on %s: %w", l.Addr(), err)
	}
	return nil
}

// Stop refuses new uploads at once and lets open calls finish until ctx ends;
// then they are cut, and their uploads abort. It returns when all handlers have
// returned, and says whether they finished by themselves.
func (s *Server) Stop(ctx context.Context) (finished bool) {
	s.stopping.Store(true)
	s.health.Shutdown()
	s.unwatch()
	defer s.receivers.close() // no handler is left then
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

// UpdateHealth publishes the readiness of the daemon and of each destination.
// The daemon is SERVING when every destination has a session; a destination also
// needs its last delivery not to have been refused by AWS.
func (s *Server) UpdateHealth() {
	all := true
	parked := s.parked()
	for _, st := range s.o.Sessions.Statuses() {
		ready, _ := s.ready(st, parked)
		s.health.SetServingStatus(st.Destination, serving(ready))
		all = all && usable(st)
	}
	if s.o.Parts != nil {
		for name, up := range s.o.Parts() {
			s.health.SetServingStatus(name, serving(up))
		}
	}
	if !s.stopping.Load() {
		s.health.SetServingStatus("", serving(all && !s.draining.Load()))
	}
}

func serving(ok bool) healthpb.HealthCheckResponse_ServingStatus {
	if ok {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}

func usable(st broker.Status) bool {
	return st.State == broker.StateFresh || st.State == broker.StateDue
}

// ready says whether a destination takes objects, and why not.
func (s *Server) ready(st broker.Status, parked map[string]string) (bool, string) {
	if !usable(st) {
		if st.LastError != "" {
			return false, "no session: " + st.LastError
		}
		return false, "no session yet"
	}
	if why := parked[st.Destination]; why != "" {
		return false, why
	}
	if broken := s.o.Ledger.Tally(st.Destination).Broken; broken != "" {
		return false, broken
	}
	return true, ""
}

// parked says why destinations are parked, by name.
func (s *Server) parked() map[string]string {
	if s.o.Spool == nil {
		return nil
	}
	out := make(map[string]string)
	for _, u := range s.o.Spool.Usage() {
		if u.ParkedReason != "" {
			out[u.Destination] = fmt.Sprintf("parked with %d objects in the spool: %s: %s", u.Parked, u.ParkedReason, u.ParkedError)
		}
	}
	return out
}

// guardUnary gives every error its details and turns a panic into one.
func (s *Server) guardUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer s.recovered(info.FullMethod, &err)
	resp, err = next(ctx, req)
	return resp, s.outward(err)
}

func (s *Server) guardStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	if info.FullMethod == healthpb.Health_Watch_FullMethodName {
		ctx, cancel := context.WithCancel(stream.Context())
		defer cancel()
		unhook := context.AfterFunc(s.watching, cancel)
		defer unhook()
		stream = watched{stream, ctx}
	}
	return s.outward(next(srv, stream))
}

// watched is a stream whose context ends when the server stops.
type watched struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (w watched) Context() context.Context { return w.ctx }

func (s *Server) recovered(method string, err *error) {
	if p := recover(); p != nil {
		s.o.Logger.Error("a call panicked", zap.String("method", method), zap.Any("panic", p), zap.Stack("stack"))
		*err = statusOf(reason.New(reason.Internal, "the daemon failed inside this call; its log says where")).Err()
	}
}

// outward leaves statuses of other services (health, reflection) as they are.
func (s *Server) outward(err error) error {
	if err == nil {
		return nil
	}
	var f *reason.Error
	if errors.As(err, &f) {
		return statusOf(f).Err()
	}
	return err
}

// caller is the peer of a call.
func caller(ctx context.Context) (access.Peer, error) {
	p, err := peerOf(ctx)
	if err != nil {
		return p, &reason.Error{Reason: reason.PeerNotAllowed, Status: codes.Unauthenticated, Message: err.Error(), Err: err}
	}
	return p, nil
}

// allow decides whether peer has perm on a destination that exists.
func (s *Server) allow(p access.Peer, perm config.Permission, destination string) error {
	if _, ok := s.config().Destinations[destination]; !ok {
		return s.unknown(p, destination)
	}
	return s.decide(p, perm, destination)
}

func (s *Server) decide(p access.Peer, perm config.Permission, destination string) error {
	if s.rules().Allows(p, perm, destination) {
		return nil
	}
	d := s.rules().Decide(p, perm, destination)
	if d.Allowed {
		return nil
	}
	why := reason.PeerNotAllowed
	if perm == config.PermAdmin {
		why = reason.AdminOnly
	}
	s.o.Logger.Warn("call refused by the access rules", zap.String("peer", s.rules().Describe(p)), zap.Int32("pid", p.PID),
		zap.String("permission", string(perm)), zap.String("destination", destination), zap.String("why", d.Reason))
	return s.refused(why, d.Reason, d.Suggestion).With("destination", destination)
}

// refused says what rule would allow what was refused; it may be empty.
func (s *Server) refused(r reason.Reason, why, rule string) *reason.Error {
	f := reason.New(r, "%s", why)
	if rule != "" {
		f.Message += "; this rule under access: in " + s.config().Path + " would allow it:\n" + rule
		f = f.With("rule", rule)
	}
	return f
}
