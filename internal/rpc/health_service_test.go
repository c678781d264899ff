package rpc

import (
	"slices"
	"testing"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/brokerd/brokerd/internal/config"
)

// A caller with a rule for logs learns nothing about audit, not even that it exists.
func TestHealthShowsTheDestinationsOfTheCallersRulesOnly(t *testing.T) {
	never := false // these tests may run as root
	d := serverFor(t, func(c *config.Config, _ *Options) { c.Socket.OwnerIsAdmin = &never })
	d.server.UpdateHealth()
	list, err := d.Health().List(t.Context(), &healthpb.HealthListRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range list.GetStatuses() {
		names = append(names, name)
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"", "logs"}) {
		t.Errorf("List names %q", names)
	}
	if _, err := d.Health().Check(t.Context(), &healthpb.HealthCheckRequest{Service: "logs"}); err != nil {
		t.Errorf("logs: %v", err)
	}
	_, hidden := d.Health().Check(t.Context(), &healthpb.HealthCheckRequest{Service: "audit"})
	_, absent := d.Health().Check(t.Context(), &healthpb.HealthCheckRequest{Service: "no-such"})
	if status.Code(hidden) != codes.NotFound || hidden.Error() != absent.Error() {
		t.Errorf("Check of a hidden destination says %v, of an absent one %v", hidden, absent)
	}
	for _, service := range []string{"audit", "no-such"} {
		w, err := d.Health().Watch(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := w.Recv(); err != nil || m.GetStatus() != healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
			t.Errorf("Watch of %s: %v, %v", service, m, err)
		}
	}
}

func TestHealthShowsAnAdministratorEveryDestination(t *testing.T) {
	d := serverFor(t, func(c *config.Config, _ *Options) { c.Access[0].Allow = append(c.Access[0].Allow, config.PermAdmin) })
	if _, err := d.Health().Check(t.Context(), &healthpb.HealthCheckRequest{Service: "audit"}); err != nil {
		t.Error(err)
	}
}
