package broker

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

// maxIdlePerHost keeps a connection for every part in flight: fewer would cost
// a TLS handshake per part.
const maxIdlePerHost = 128

// NewHTTPClient returns the one HTTP client that all calls to AWS share, with
// the configured CA bundle added to the system's roots. Make it once: copies do
// not share connections.
func NewHTTPClient(cfg config.AWS) (*awshttp.BuildableClient, error) {
	roots, err := Roots(cfg.CABundle)
	if err != nil {
		return nil, err
	}
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = 5 * time.Second }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = maxIdlePerHost
			t.MaxIdleConns = 2 * maxIdlePerHost
			t.ResponseHeaderTimeout = time.Minute
			t.TLSHandshakeTimeout = 10 * time.Second
			t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(64)}
		}), nil
}

// Roots are the system's roots and those of a PEM file; nil, which means the
// system's, when path is empty.
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
