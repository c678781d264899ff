package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
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

type vpcEndpoint struct {
	VPCEndpoint
	policies []iampolicy.NamedPolicy
	url      string
	listener net.Listener
	served   chan struct{} // closed when nothing accepts from listener any more
}

// AddVPCEndpoint opens an endpoint and returns its URL, which serves what
// Endpoint serves. It is gone when the sandbox is closed.
func (s *Sandbox) AddVPCEndpoint(e VPCEndpoint) (string, error) {
	if !strings.HasPrefix(e.ID, "vpce-") || !strings.HasPrefix(e.VPC, "vpc-") {
		return "", fmt.Errorf("endpoint %q in %q: want ids that start with vpce- and vpc-", e.ID, e.VPC)
	}
	if e.Policy == "" {
		e.Policy = fullAccess
	}
	doc, err := iampolicy.Parse([]byte(e.Policy))
	if err != nil {
		return "", fmt.Errorf("policy of %s: %w", e.ID, err)
	}
	s.lifeMu.Lock()
	defer s.lifeMu.Unlock()
	if s.closed {
		return "", errors.New("the sandbox is closed")
	}
	host, _, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("opening %s: %w", e.ID, err)
	}
	scheme, plain := "http", listener
	if s.tlsConfig != nil {
		scheme, listener = "https", tls.NewListener(listener, s.tlsConfig)
	}
	v := &vpcEndpoint{
		VPCEndpoint: e, policies: []iampolicy.NamedPolicy{{Name: e.ID, Policy: doc}}, url: scheme + "://" + plain.Addr().String(),
		listener: listener, served: make(chan struct{}),
	}
	s.world.mu.Lock()
	if s.world.endpoints[e.ID] != nil {
		s.world.mu.Unlock()
		return "", errors.Join(fmt.Errorf("there is an endpoint %s already", e.ID), plain.Close())
	}
	s.world.endpoints[e.ID] = v
	s.world.mu.Unlock()
	go func() {
		defer close(v.served)
		_ = s.server.Serve(listener) // until the server is shut down
	}()
	return v.url, nil
}

// closeEndpoints closes the endpoints' listeners, also those whose goroutine
// did not come to serve before the server was closed, and waits for the
// goroutines. The server must be closed.
func (s *Sandbox) closeEndpoints() error {
	s.world.mu.RLock()
	endpoints := slices.Collect(maps.Values(s.world.endpoints))
	s.world.mu.RUnlock()
	var errs []error
	for _, e := range endpoints {
		if err := e.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("closing %s: %w", e.ID, err))
		}
		<-e.served
	}
	return errors.Join(errs...)
}

type endpointKey struct{}

// markEndpoint is the server's ConnContext: it remembers by which way a connection came.
func (s *Sandbox) markEndpoint(ctx context.Context, c net.Conn) context.Context {
	local := c.LocalAddr().String()
	s.world.mu.RLock()
	defer s.world.mu.RUnlock()
	for _, e := range s.world.endpoints {
		if strings.HasSuffix(e.url, "://"+local) {
			return context.WithValue(ctx, endpointKey{}, e)
		}
	}
	return ctx
}

func endpointOf(r *http.Request) *vpcEndpoint {
	e, _ := r.Context().Value(endpointKey{}).(*vpcEndpoint)
	return e
}
