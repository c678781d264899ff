package verify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// tlsRoots are the certificates that are trusted; nil for the system's.
type tlsRoots struct{ s3, all *x509.CertPool }

const reachTimeout = 5 * time.Second

// network makes the run's HTTP client for S3 such as deliveries have it: with the
// destination's proxy and certificates.
func (p *probe) network(v *Verifier) error {
	client := v.opts.HTTPClient
	if t := client.GetTransport(); t != nil && t.TLSClientConfig != nil {
		p.roots = tlsRoots{t.TLSClientConfig.RootCAs, t.TLSClientConfig.RootCAs}
	}
	p.proxy = http.ProxyFromEnvironment
	own := false
	switch p.dest.Proxy {
	case "":
	case "none":
		p.proxy, own = func(*http.Request) (*url.URL, error) { return nil, nil }, true
	default:
		fixed, err := url.Parse(p.dest.Proxy)
		if err != nil {
			return errors.New("proxy: it is no URL")
		}
		p.proxy, own = http.ProxyURL(fixed), true
	}
	if p.dest.CABundle != "" {
		roots, err := awsclient.Roots(p.dest.CABundle)
		if err != nil {
			return err
		}
		p.roots.s3, own = roots, true
	}
	if own {
		client = client.WithTransportOptions(func(t *http.Transport) {
			t.Proxy = p.proxy
			t.TLSClientConfig = t.TLSClientConfig.Clone()
			t.TLSClientConfig.RootCAs = p.roots.s3
		})
	}
	p.s3HTTP = counted{client, p.calls}
	return nil
}

// serviceURL is where calls to a service go.
func (p *probe) serviceURL(service string) string {
	configured := map[string]string{"s3": p.s3URL, "sts": p.stsURL, "kms": p.kmsURL}[service]
	if configured != "" {
		return configured
	}
	suffix := "amazonaws.com"
	if p.partition() == "aws-cn" {
		suffix += ".cn"
	}
	if service == "s3" {
		name := "s3"
		if p.dest.FIPS {
			name += "-fips"
		}
		if p.dest.DualStack {
			name += ".dualstack"
		}
		// No certificate of S3's is for a bucket with dots in its name: the SDK goes by paths as well.
		if p.dest.PathStyle || strings.Contains(p.dest.Bucket, ".") {
			return fmt.Sprintf("https://%s.%s.%s", name, p.dest.Region, suffix)
		}
		return fmt.Sprintf("https://%s.%s.%s.%s", p.dest.Bucket, name, p.dest.Region, suffix)
	}
	return fmt.Sprintf("https://%s.%s.%s", service, p.dest.Region, suffix)
}

// reach resolves, connects and shakes hands, and sends nothing.
func (p *probe) reach(ctx context.Context, service string) finding {
	at, err := url.Parse(p.serviceURL(service))
	if err != nil || at.Hostname() == "" {
		return finding{Code: causeNetwork, Result: report.Fail, Artefact: report.ArtefactConfig, Detail: "the endpoint of " + service + " is no URL", Fix: "Correct `endpoints` in the configuration."}
	}
	port := at.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[at.Scheme]
	}
	address := net.JoinHostPort(at.Hostname(), port)
	proxy, roots := http.ProxyFromEnvironment, p.roots.all
	if service == "s3" {
		proxy, roots = p.proxy, p.roots.s3
	}
	if via, err := proxy(&http.Request{URL: at}); err == nil && via != nil {
		return p.reachProxy(ctx, service, address, via)
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	started := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return p.unreachable(service, address, err)
	}
	defer func() { _ = conn.Close() }()
	detail := fmt.Sprintf("%s answers at %s", address, conn.RemoteAddr())
	if at.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: at.Hostname()})
		if err := secure.HandshakeContext(ctx); err != nil {
			return p.unreachable(service, address, &url.Error{Op: "connect", URL: at.String(), Err: err})
		}
		detail += ", " + tls.VersionName(secure.ConnectionState().Version)
	} else {
		detail += ", without TLS"
	}
	detail += fmt.Sprintf(", after %d ms", time.Since(started).Milliseconds())
	if service == "s3" {
		p.s3Address = wayTo(conn.RemoteAddr())
	}
	return finding{Result: report.Pass, Detail: detail, Evidence: []report.Evidence{{Source: report.SourceHost, Operation: "connect", Text: detail}}}
}

func (p *probe) reachProxy(ctx context.Context, service, address string, via *url.URL) finding {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	host := via.Host
	if via.Port() == "" {
		host = net.JoinHostPort(via.Hostname(), map[string]string{"http": "80", "https": "443", "socks5": "1080"}[via.Scheme])
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		f := p.unreachable(service, host, err)
		f.Detail = "the proxy on the way to " + address + ": " + f.Detail
		return f
	}
	_ = conn.Close()
	if service == "s3" {
		p.s3Address = "through the proxy " + via.Host
	}
	return finding{Result: report.Pass, Detail: fmt.Sprintf("%s is reached through the proxy %s, which answers", address, via.Host)}
}

func (p *probe) unreachable(service, address string, err error) finding {
	info := awserr.Classify(err, service)
	c := finding{Code: causeNetwork, Result: report.Fail, Artefact: report.ArtefactNetwork, Confidence: report.Proven}
	info.Endpoint = address
	return p.networkFailure(c, step{name: "reaching " + service, service: service}, info, err)
}

// wayTo says by which way an address is reached, as far as the address tells.
// An interface endpoint has a private address; a gateway endpoint does not show.
func wayTo(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	switch {
	case err != nil:
		return ""
	case ap.Addr().IsLoopback():
		return "over loopback"
	case ap.Addr().IsPrivate():
		return "by a private address: an interface endpoint of a VPC"
	}
	return "by a public address: directly, or by a gateway endpoint of the VPC, which does not show"
}

func (p *probe) networkFailure(c finding, s step, info awserr.Info, err error) finding {
	endpoint := info.Endpoint
	if endpoint == "" {
		endpoint = p.serviceURL(s.service)
	}
	c.Code, c.Artefact = causeNetwork, report.ArtefactNetwork
	c.Detail = fmt.Sprintf("%s: no answer from %s", s.name, endpoint)
	if info.NetworkOp != "" {
		c.Detail += " (" + info.NetworkOp + ")"
	}
	c.Detail += ": " + rootCause(err) + ". This is the network, not IAM: no policy was asked"
	c.Fix = "Check from this host that " + endpoint + " can be reached: name resolution, route, proxy (HTTPS_PROXY), firewall, VPC endpoint"
	if info.NetworkOp == "tls" {
		c.Fix += "; the certificate must be signed by the system's roots or by aws.ca_bundle"
	}
	c.Fix += "."
	c.Evidence = append(c.Evidence, report.Evidence{Source: report.SourceHost, Operation: orText(info.NetworkOp, "connect"), Text: rootCause(err)})
	return c
}

// rootCause is the innermost error: the SDK's wrapping repeats what the check says already.
func rootCause(err error) string {
	for {
		switch e := err.(type) { //nolint:errorlint // walking the chain by hand
		case interface{ Unwrap() error }:
			next := e.Unwrap()
			if next == nil {
				return clean(err.Error())
			}
			err = next
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			if len(all) == 0 {
				return clean(err.Error())
			}
			err = all[0]
		default:
			return clean(err.Error())
		}
	}
}

func clean(s string) string { return strings.Join(strings.Fields(s), " ") }
