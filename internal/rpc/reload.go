package rpc

import (
	"context"
	"errors"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// Prepare compiles the access rules of another configuration.
func (s *Server) Prepare(c *config.Config) (config.Change, error) {
	rules, err := s.o.Access.Compile(c)
	if err != nil {
		return nil, err
	}
	return &reloadChange{s, &configuration{c, rules}}, nil
}

// reloadChange is a prepared reload of the server.
type reloadChange struct {
	s    *Server
	next *configuration
}

// Discard implements config.Change.
func (*reloadChange) Discard() {}

// Commit makes calls that begin from now on follow the new configuration. Open
// uploads keep the limits and the rights that they began with.
func (ch *reloadChange) Commit() {
	s, c := ch.s, ch.next.config
	was := s.policy.current.Swap(ch.next)
	s.share(ch.next.rules)
	for name := range c.Destinations {
		s.o.Stats.Add(name)
	}
	for name := range was.config.Destinations {
		if c.Destinations[name] == nil {
			s.o.Stats.Remove(name)
			s.health.SetServingStatus(name, healthpb.HealthCheckResponse_SERVICE_UNKNOWN)
		}
	}
	s.UpdateHealth()
}

// Reload implements the API.
func (a *adminService) Reload(ctx context.Context, _ *brokerdv1.ReloadRequest) (*brokerdv1.ReloadResponse, error) {
	if err := a.acts(ctx, "Reload"); err != nil {
		return nil, err
	}
	done, err := a.s.o.Reload()
	switch {
	case errors.Is(err, config.ErrNeedsRestart):
		return nil, reason.New(reason.ReloadNeedsRestart, "%s", err)
	case err != nil:
		return nil, reason.New(reason.ConfigInvalid, "nothing was changed: %s", err)
	}
	return &brokerdv1.ReloadResponse{
		Added:      done.Added,
		Changed:    done.Changed,
		Removed:    done.Removed,
		Unchanged:  done.Unchanged,
		ConfigPath: a.s.policy.Config().Path,
	}, nil
}
