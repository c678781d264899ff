package sandbox

import (
	"context"
	"strings"
	"time"
)

// Fault makes calls go wrong on purpose. A fault acts after the operation is
// known and before anything is checked or changed.
type Fault struct {
	// Operation is "service:Operation", "service:*" or "*".
	Operation string
	// Code is the AWS error code to answer, empty for none (only Latency acts).
	Code string
	// Message is the error's text; empty: one that says it was injected.
	Message string
	// Status is the HTTP status with Code; 0 means 503.
	Status int
	// Latency delays the call first.
	Latency time.Duration
	// Times is how many calls are hit; 0 means all until SetFaults is called again.
	Times int
	// ResetConnection drops the TCP connection instead of answering.
	ResetConnection bool
}

// SetFaults replaces all faults that are in force.
func (s *Sandbox) SetFaults(faults []Fault) {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	s.faults = make([]*Fault, 0, len(faults))
	for _, f := range faults {
		s.faults = append(s.faults, &f)
	}
}

// nextFault takes the first fault that matches, counting it down.
func (s *Sandbox) nextFault(service, operation string) (Fault, bool) {
	s.faultMu.Lock()
	defer s.faultMu.Unlock()
	for i, f := range s.faults {
		if !f.matches(service, operation) {
			continue
		}
		hit := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return hit, true
	}
	return Fault{}, false
}

func (f *Fault) matches(service, operation string) bool {
	if f.Operation == "*" {
		return true
	}
	svc, op, ok := strings.Cut(f.Operation, ":")
	return ok && strings.EqualFold(svc, service) && (op == "*" || strings.EqualFold(op, operation))
}

// delay waits for the fault's latency or the end of ctx.
func (f Fault) delay(ctx context.Context) error {
	if f.Latency <= 0 {
		return nil
	}
	timer := time.NewTimer(f.Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
