package sink_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/bench/sink"
)

// stand is a sink on a real socket, with an SDK configuration for it.
type stand struct {
	*sink.Server
	aws  aws.Config
	http *http.Client
}

func newStand(t *testing.T, o sink.Options) *stand {
	t.Helper()
	server, err := sink.Listen("127.0.0.1:0", o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(server.CA) {
		t.Fatal("the sink's authority is no certificate")
	}
	trust := func(tr *http.Transport) { tr.TLSClientConfig = &tls.Config{RootCAs: roots} }
	client := awshttp.NewBuildableClient().WithTransportOptions(trust)
	plain := &http.Transport{}
	trust(plain)
	t.Cleanup(plain.CloseIdleConnections)
	return &stand{Server: server, http: &http.Client{Transport: plain}, aws: aws.Config{
		Region: "eu-west-1", HTTPClient: client, BaseEndpoint: aws.String(server.URL), RetryMaxAttempts: 1,
		Credentials:                credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}}
}

func (s *stand) s3() *s3.Client {
	return s3.NewFromConfig(s.aws, func(o *s3.Options) { o.UsePathStyle = true })
}

func (s *stand) count(t *testing.T) sink.Count {
	t.Helper()
	resp, err := s.http.Get(s.URL + sink.CountPath)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var c sink.Count
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}
