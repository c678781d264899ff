package rpc

import (
	"fmt"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/health"
)

// UpdateHealth publishes the readiness of the daemon and of each destination. The
// daemon is SERVING when every destination has a session. Package health decides for a
// destination.
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
	if !s.intake.Stopping() {
		s.health.SetServingStatus("", serving(all && !s.intake.Draining()))
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

func (s *Server) ready(st broker.Status, parked map[string]string) (bool, string) {
	return s.o.Stats.Ready(st.Destination, health.Session{Usable: usable(st), Error: st.LastError}, parked[st.Destination])
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
