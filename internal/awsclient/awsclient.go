// Package awsclient makes the HTTP client for calls to AWS through the SDK, and
// reads the root certificates that every client of AWS trusts.
//
// It guarantees that connecting, the TLS handshake and the wait for the headers of
// a response all have limits, that TLS is at least version 1.2, and that no request to
// this host or to its link goes through a proxy.
//
// It makes no call, and keeps no state: the caller shares the client that it makes.
package awsclient

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/brokerd/brokerd/internal/config"
)

// maxIdlePerHost keeps a connection for each call in flight: fewer would cost a
// TLS handshake per call.
const maxIdlePerHost = 128

// New returns an HTTP client for the AWS SDK. It trusts the system's roots and
// those of cfg.CABundle. Make it once: two clients do not share connections.
func New(cfg config.AWS) (*awshttp.BuildableClient, error) {
	roots, err := Roots(cfg.CABundle)
	if err != nil {
		return nil, err
	}
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 5 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.Proxy = Proxy
			t.MaxIdleConnsPerHost = maxIdlePerHost
			t.MaxIdleConns = 2 * maxIdlePerHost
			t.ResponseHeaderTimeout = time.Minute
			t.TLSHandshakeTimeout = 10 * time.Second
			t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(64)}
		}), nil
}

// Roots returns the system's roots and those of the PEM file at path. With an
// empty path it returns nil, which crypto/tls takes as the system's roots.
func Roots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading ca_bundle: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_bundle %s: no certificate in PEM form found", path)
	}
	return roots, nil
}
