package verify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithymiddleware "github.com/aws/smithy-go/middleware"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/broker"
)

// clients makes the AWS clients of a run. S3 is reached as a delivery reaches it:
// with the destination's proxy, certificates and endpoint.
type clients struct {
	*arrangement
	aws     aws.Config // with the HTTP client of STS and KMS
	s3HTTP  aws.HTTPClient
	s3URL   string
	stsURL  string
	kmsURL  string
	proxy   func(*http.Request) (*url.URL, error) // for S3
	roots   tlsRoots
	session *broker.Session // of the role; nil until it was assumed
}

// tlsRoots are the certificates that are trusted; nil for the system's.
type tlsRoots struct{ s3, all *x509.CertPool }

func (v *Verifier) newClients(a *arrangement, calls *budget) (*clients, error) {
	c := &clients{
		arrangement: a,
		aws: aws.Config{
			Region: a.dest.Region, HTTPClient: counted{v.opts.HTTPClient, calls}, RetryMaxAttempts: 2,
			APIOptions: []func(*smithymiddleware.Stack) error{middleware.AddUserAgentKey("brokerd-verify")},
		},
		s3URL:  first(a.dest.Endpoints.S3, v.opts.Config.AWS.Endpoints.S3),
		stsURL: first(a.dest.Endpoints.STS, v.opts.Config.AWS.Endpoints.STS),
		kmsURL: first(a.dest.Endpoints.KMS, v.opts.Config.AWS.Endpoints.KMS),
	}
	return c, c.network(v.opts.HTTPClient, calls)
}

// s3 makes a client with the session's credentials.
func (c *clients) s3() *s3.Client { return c.s3As(credentialsOf(c.session), c.aws.RetryMaxAttempts) }

// asking makes a client that does not retry, for requests that are expected to be refused.
func (c *clients) asking(s *broker.Session) *s3.Client { return c.s3As(credentialsOf(s), 1) }

func (c *clients) s3As(creds aws.CredentialsProvider, attempts int) *s3.Client {
	return s3.NewFromConfig(c.aws, func(o *s3.Options) {
		o.Credentials = creds
		o.HTTPClient = c.s3HTTP
		o.RetryMaxAttempts = attempts
		o.UsePathStyle = c.dest.PathStyle
		if c.dest.FIPS {
			o.EndpointOptions.UseFIPSEndpoint = aws.FIPSEndpointStateEnabled
		}
		if c.dest.DualStack {
			o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled
		}
		if c.s3URL != "" {
			o.BaseEndpoint = aws.String(c.s3URL)
		}
	})
}

func (c *clients) sts() *sts.Client {
	return sts.NewFromConfig(c.aws, func(o *sts.Options) {
		o.Credentials = credentialsOf(c.session)
		if c.stsURL != "" {
			o.BaseEndpoint = aws.String(c.stsURL)
		}
	})
}

func (c *clients) kms(s *broker.Session) *kms.Client {
	return kms.NewFromConfig(c.aws, func(o *kms.Options) {
		o.Credentials = credentialsOf(s)
		o.RetryMaxAttempts = 1
		if c.kmsURL != "" {
			o.BaseEndpoint = aws.String(c.kmsURL)
		}
	})
}

func credentialsOf(s *broker.Session) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID:     s.AccessKeyID,
			SecretAccessKey: s.SecretAccessKey.Reveal(),
			SessionToken:    s.SessionToken.Reveal(),
		}, nil
	})
}

// network makes the HTTP client for S3, with the destination's proxy and certificates.
func (c *clients) network(client *awshttp.BuildableClient, calls *budget) error {
	if t := client.GetTransport(); t != nil && t.TLSClientConfig != nil {
		c.roots = tlsRoots{t.TLSClientConfig.RootCAs, t.TLSClientConfig.RootCAs}
	}
	c.proxy = awsclient.Proxy
	own := false
	switch c.dest.Proxy {
	case "":
	case "none":
		c.proxy, own = func(*http.Request) (*url.URL, error) { return nil, nil }, true
	default:
		fixed, err := url.Parse(c.dest.Proxy)
		if err != nil {
			return errors.New("proxy: it is no URL")
		}
		c.proxy, own = http.ProxyURL(fixed), true
	}
	if c.dest.CABundle != "" {
		roots, err := awsclient.Roots(c.dest.CABundle)
		if err != nil {
			return err
		}
		c.roots.s3, own = roots, true
	}
	if own {
		client = client.WithTransportOptions(func(t *http.Transport) {
			t.Proxy = c.proxy
			t.TLSClientConfig = t.TLSClientConfig.Clone()
			t.TLSClientConfig.RootCAs = c.roots.s3
		})
	}
	c.s3HTTP = counted{client, calls}
	return nil
}

// serviceURL is the address that calls to a service go to.
func (c *clients) serviceURL(service string) string {
	configured := map[string]string{"s3": c.s3URL, "sts": c.stsURL, "kms": c.kmsURL}[service]
	if configured != "" {
		return configured
	}
	suffix := "amazonaws.com"
	if c.partition() == "aws-cn" {
		suffix += ".cn"
	}
	if service == "s3" {
		name := "s3"
		if c.dest.FIPS {
			name += "-fips"
		}
		if c.dest.DualStack {
			name += ".dualstack"
		}
		// S3's certificates do not cover a bucket name with dots: the SDK uses path style, too.
		if c.dest.PathStyle || strings.Contains(c.dest.Bucket, ".") {
			return fmt.Sprintf("https://%s.%s.%s", name, c.dest.Region, suffix)
		}
		return fmt.Sprintf("https://%s.%s.%s.%s", c.dest.Bucket, name, c.dest.Region, suffix)
	}
	return fmt.Sprintf("https://%s.%s.%s", service, c.dest.Region, suffix)
}
