package rpc

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpchealth "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// visibleHealth is the health service, which answers a caller about the daemon, its parts
// and the destinations of the caller's rules. Other destinations are unknown to the caller,
// like those that do not exist.
type visibleHealth struct {
	*grpchealth.Server
	s *Server
}

// visible reports whether the caller may know of a service.
func (h visibleHealth) visible(ctx context.Context, service string) bool {
	if _, destination := h.s.policy.Config().Destinations[service]; !destination {
		return true // the daemon, a part of it, or no service at all
	}
	p, err := caller(ctx)
	if err != nil {
		return false
	}
	return slices.Contains(h.s.policy.rules().Destinations(p, []string{service}), service)
}

// Check implements the health protocol.
func (h visibleHealth) Check(ctx context.Context, req *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	if !h.visible(ctx, req.GetService()) {
		return nil, status.Error(codes.NotFound, "unknown service")
	}
	return h.Server.Check(ctx, req)
}

// List implements the health protocol.
func (h visibleHealth) List(ctx context.Context, req *healthpb.HealthListRequest) (*healthpb.HealthListResponse, error) {
	out, err := h.Server.List(ctx, req)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(out.GetStatuses(), func(service string, _ *healthpb.HealthCheckResponse) bool { return !h.visible(ctx, service) })
	return out, nil
}

// Watch implements the health protocol. A destination that the caller may not know of is
// watched like a service that does not exist.
func (h visibleHealth) Watch(req *healthpb.HealthCheckRequest, stream grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	if h.visible(stream.Context(), req.GetService()) {
		return h.Server.Watch(req, stream)
	}
	if err := stream.Send(&healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVICE_UNKNOWN}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return status.FromContextError(stream.Context().Err()).Err()
}
