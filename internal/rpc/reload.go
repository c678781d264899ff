package rpc

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// present is what calls that begin now go by. It is immutable: Adopt swaps it.
type present struct {
	config *config.Config
	rules  *access.Policy
}

func (s *Server) config() *config.Config { return s.now.Load().config }
func (s *Server) rules() *access.Policy  { return s.now.Load().rules }

// Adopt makes calls that begin from now on go by another configuration. Uploads
// that are open keep the limits and the rights that they began with.
func (s *Server) Adopt(c *config.Config, rules *access.Policy) {
	was := s.now.Swap(&present{c, rules})
	for name := range c.Destinations {
		s.o.Ledger.open(name)
	}
	for name := range was.config.Destinations {
		if c.Destinations[name] == nil {
			s.o.Ledger.close(name)
			s.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVICE_UNKNOWN)
		}
	}
	s.UpdateHealth()
}

// Changes are what a reload did to the destinations; names are sorted.
type Changes struct{ Added, Changed, Removed, Unchanged []string }

// ErrNeedsRestart is wrapped by the error of a reload that only a restart can bring about.
var ErrNeedsRestart = errors.New("the daemon has to be restarted for that")

// Reload implements the API.
func (a *adminService) Reload(ctx context.Context, _ *brokerdv1.ReloadRequest) (*brokerdv1.ReloadResponse, error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	done, err := a.s.o.Reload()
	switch {
	case errors.Is(err, ErrNeedsRestart):
		return nil, refuse(codes.FailedPrecondition, "RELOAD_NEEDS_RESTART", "%s", err)
	case err != nil:
		return nil, refuse(codes.FailedPrecondition, "CONFIG_INVALID", "nothing was changed: %s", err)
	}
	return &brokerdv1.ReloadResponse{Added: done.Added, Changed: done.Changed, Removed: done.Removed, Unchanged: done.Unchanged, ConfigPath: a.s.config().Path}, nil
}
