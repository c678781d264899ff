package sandbox

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/brokerd/brokerd/internal/sandbox/kernel"
)

// vpcListener serves a VPC endpoint.
type vpcListener struct {
	id       string
	listener net.Listener
	served   chan struct{} // closed when the goroutine that accepts from listener has ended
}

// AddVPCEndpoint opens an endpoint and returns its URL, which serves the same services
// as Endpoint until the sandbox is closed.
func (s *Sandbox) AddVPCEndpoint(e kernel.VPCEndpoint) (string, error) {
	if err := e.Check(); err != nil {
		return "", err
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
	address := listener.Addr().String()
	if err := s.services.k.AddEndpoint(e, address); err != nil {
		return "", errors.Join(err, listener.Close())
	}
	scheme := "http"
	if s.tlsConfig != nil {
		scheme, listener = "https", tls.NewListener(listener, s.tlsConfig)
	}
	v := &vpcListener{id: e.ID, listener: listener, served: make(chan struct{})}
	s.endpoints = append(s.endpoints, v)
	go func() {
		defer close(v.served)
		_ = s.server.Serve(listener) // until the server is shut down
	}()
	return scheme + "://" + address, nil
}

// closeEndpoints closes the endpoints' listeners and waits for their goroutines. It
// closes the listeners too whose goroutine did not begin to serve before the server
// was closed. The server must be closed.
func (s *Sandbox) closeEndpoints() error {
	s.lifeMu.Lock()
	endpoints := s.endpoints
	s.lifeMu.Unlock()
	var errs []error
	for _, e := range endpoints {
		if err := e.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, fmt.Errorf("closing %s: %w", e.id, err))
		}
		<-e.served
	}
	return errors.Join(errs...)
}
