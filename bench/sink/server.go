package sink

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Server serves a Sink over https.
type Server struct {
	URL string // https://127.0.0.1:PORT
	CA  []byte // PEM of the authority that its clients have to trust

	listener net.Listener
	http     *http.Server
}

// Listen starts a sink on addr, an IP address and a port, with a new certificate.
func Listen(addr string, o Options) (*Server, error) {
	ca, leaf, err := newCertificate(time.Now())
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "https://" + l.Addr().String(), CA: ca}
	s.listener = tls.NewListener(paced{l, o.Rate}, &tls.Config{Certificates: []tls.Certificate{leaf}, MinVersion: tls.VersionTLS12})
	// A sender that gives up causes a failed handshake or a broken pipe here; its own report has the error.
	s.http = &http.Server{Handler: New(o), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	return s, nil
}

// Run serves until ctx ends, and then closes all connections.
func (s *Server) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = s.http.Close() })() // Serve returns the error
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
