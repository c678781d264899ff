package rpc

import (
	"context"
	"errors"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/internal/reason"
)

// guardUnary gives every error its details, and turns a panic into an error.
func (s *Server) guardUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer s.recovered(info.FullMethod, &err)
	c := callOf(ctx)
	defer c.end(ctx)
	if err := c.arrived(); err != nil {
		return nil, outward(err)
	}
	resp, err = next(ctx, req)
	return resp, outward(err)
}

// guardStream does the same for streams.
func (s *Server) guardStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	c := callOf(stream.Context())
	defer c.end(stream.Context())
	if c != nil && c.refusal != nil {
		return outward(c.refusal)
	}
	if c != nil {
		stream = counted{stream, c} // its handler reads the messages
	}
	if info.FullMethod == healthpb.Health_Watch_FullMethodName {
		ctx, cancel := context.WithCancel(stream.Context())
		defer cancel()
		unhook := context.AfterFunc(s.intake.Waiting(), cancel)
		defer unhook()
		stream = watched{stream, ctx}
	}
	return outward(next(srv, stream))
}

// watched is a stream whose context ends when the server stops.
type watched struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (w watched) Context() context.Context { return w.ctx }

// recovered turns a panic into a status. Defer it.
func (s *Server) recovered(method string, err *error) {
	if p := recover(); p != nil {
		s.o.Logger.Error("a call panicked", zap.String("method", method), zap.Any("panic", p), zap.Stack("stack"))
		*err = statusOf(reason.New(reason.Internal, "the daemon failed inside this call; its log has the details")).Err()
	}
}

// outward leaves statuses of other services (health, reflection) as they are.
func outward(err error) error {
	var e *reason.Error
	if errors.As(err, &e) {
		return statusOf(e).Err()
	}
	return err
}
