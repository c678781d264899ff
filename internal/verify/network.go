package verify

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const reachTimeout = 5 * time.Second

// reach resolves the name, connects and makes the TLS handshake. It sends no request.
func (r *run) reach(ctx context.Context, service string) finding {
	at, err := url.Parse(r.clients.serviceURL(service))
	if err != nil || at.Hostname() == "" {
		return finding{
			Code:     causeNetwork,
			Result:   report.Fail,
			Artefact: report.ArtefactConfig,
			Detail:   "the endpoint of " + service + " is not a URL",
			Fix:      "Correct `endpoints` in the configuration.",
		}
	}
	port := at.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[at.Scheme]
	}
	address := net.JoinHostPort(at.Hostname(), port)
	proxy, roots := awsclient.Proxy, r.clients.roots.all
	if service == "s3" {
		proxy, roots = r.clients.proxy, r.clients.roots.s3
	}
	if via, err := proxy(&http.Request{URL: at}); err == nil && via != nil {
		return r.reachProxy(ctx, service, address, via)
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	started := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return r.diagnosis.unreachable(service, address, err)
	}
	defer func() { _ = conn.Close() }()
	detail := fmt.Sprintf("%s answers at %s", address, conn.RemoteAddr())
	if at.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: at.Hostname()})
		if err := secure.HandshakeContext(ctx); err != nil {
			return r.diagnosis.unreachable(service, address, &url.Error{Op: "connect", URL: at.String(), Err: err})
		}
		detail += ", " + tls.VersionName(secure.ConnectionState().Version)
	} else {
		detail += ", without TLS"
	}
	detail += fmt.Sprintf(", after %d ms", time.Since(started).Milliseconds())
	if service == "s3" {
		r.s3Address = wayTo(conn.RemoteAddr())
	}
	return finding{
		Result:   report.Pass,
		Detail:   detail,
		Evidence: []report.Evidence{{Source: report.SourceHost, Operation: "connect", Text: detail}},
	}
}

func (r *run) reachProxy(ctx context.Context, service, address string, via *url.URL) finding {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	host := via.Host
	if via.Port() == "" {
		host = net.JoinHostPort(via.Hostname(), map[string]string{"http": "80", "https": "443", "socks5": "1080"}[via.Scheme])
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		f := r.diagnosis.unreachable(service, host, err)
		f.Detail = "the proxy before " + address + ": " + f.Detail
		return f
	}
	_ = conn.Close()
	if service == "s3" {
		r.s3Address = "through the proxy " + via.Host
	}
	return finding{Result: report.Pass, Detail: fmt.Sprintf("%s is reached through the proxy %s", address, via.Host)}
}

// wayTo describes the route to an address, as far as the address shows it. An interface
// endpoint has a private address; a gateway endpoint does not show.
func wayTo(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	switch {
	case err != nil:
		return ""
	case ap.Addr().IsLoopback():
		return "over loopback"
	case ap.Addr().IsPrivate():
		return "at a private address: through an interface endpoint of a VPC"
	}
	return "at a public address: directly, or through a gateway endpoint of the VPC"
}

// rootCause returns the text of the innermost error, without the SDK's wrapping.
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
