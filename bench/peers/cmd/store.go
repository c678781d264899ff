package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// store is the bucket, with the encryption of its objects.
type store struct {
	endpoint, ca, region, bucket, owner, key string
}

// partsInFlight is above the number of parts that the managers send at a time.
const partsInFlight = 8

// client is configured as the SDK's documentation shows, with one change in the SDK's
// favour: it keeps an idle connection for every request in flight. With the default of
// ten, six of sixteen requests would need a new TLS handshake each time.
func (s store) client(ctx context.Context, inFlight int) (*s3.Client, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, err
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", s.ca)
	}
	transport := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = inFlight * partsInFlight
		t.MaxIdleConns = max(t.MaxIdleConns, t.MaxIdleConnsPerHost)
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	})
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(s.region), config.WithHTTPClient(transport),
		config.WithBaseEndpoint(s.endpoint))
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), nil
}
