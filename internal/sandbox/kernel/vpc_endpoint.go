package kernel

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// VPCEndpoint is a private way to all services. Calls that come through it
// carry its condition keys, and its policy has to allow them.
type VPCEndpoint struct {
	ID     string `json:"id"`               // "vpce-…"
	VPC    string `json:"vpc"`              // "vpc-…"
	Policy string `json:"policy,omitempty"` // empty: all is allowed
}

// endpoint is a VPC endpoint that serves.
type endpoint struct {
	VPCEndpoint
	address  string // host:port that it listens on
	policies []iampolicy.NamedPolicy
}

// AddEndpoint makes the calls that arrive at an address come through a VPC endpoint.
func (k *Kernel) AddEndpoint(e VPCEndpoint, address string) error {
	if e.Policy == "" {
		e.Policy = fullAccess
	}
	doc, err := iampolicy.Parse([]byte(e.Policy))
	if err != nil {
		return fmt.Errorf("policy of %s: %w", e.ID, err)
	}
	k.networkMu.Lock()
	defer k.networkMu.Unlock()
	if k.endpoints[e.ID] != nil {
		return fmt.Errorf("endpoint %s exists already: use another id", e.ID)
	}
	k.endpoints[e.ID] = &endpoint{VPCEndpoint: e, address: address, policies: []iampolicy.NamedPolicy{{Name: e.ID, Policy: doc}}}
	return nil
}

// endpointPolicies returns the policy of a VPC endpoint; nil for an unknown id.
func (k *Kernel) endpointPolicies(id string) []iampolicy.NamedPolicy {
	k.networkMu.RLock()
	defer k.networkMu.RUnlock()
	if e := k.endpoints[id]; e != nil {
		return e.policies
	}
	return nil
}

type endpointKey struct{}

// MarkEndpoint is a server's ConnContext: it remembers the endpoint that a connection came through.
func (k *Kernel) MarkEndpoint(ctx context.Context, c net.Conn) context.Context {
	local := c.LocalAddr().String()
	k.networkMu.RLock()
	defer k.networkMu.RUnlock()
	for _, e := range k.endpoints {
		if e.address == local {
			return context.WithValue(ctx, endpointKey{}, e)
		}
	}
	return ctx
}

// endpointOf returns the VPC endpoint that a request came through; nil for the open network.
func endpointOf(r *http.Request) *endpoint {
	e, _ := r.Context().Value(endpointKey{}).(*endpoint)
	return e
}

// Check checks the ids of a VPC endpoint.
func (e VPCEndpoint) Check() error {
	if !strings.HasPrefix(e.ID, "vpce-") || !strings.HasPrefix(e.VPC, "vpc-") {
		return fmt.Errorf("endpoint %q in %q: want ids that start with vpce- and vpc-", e.ID, e.VPC)
	}
	return nil
}
