package awserr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
)

// network fills the Info for an error without a response, and reports whether err is one.
// The message names the endpoint and rules out IAM.
func (i *Info) network(err error) bool {
	if i.proxy(err) {
		return true
	}
	op, detail := networkOp(err)
	if op == "" {
		return false
	}
	i.Class, i.NetworkOp, i.Endpoint = Network, op, endpointOf(err)
	endpoint := i.Endpoint
	if endpoint == "" {
		endpoint = "the " + i.Service + " endpoint"
	}
	i.Message = "cannot reach " + endpoint + ": " + detail + "; this is a network problem, not IAM"
	return true
}

// proxy fills the Info for a failure of the proxy, and reports whether err is one. The
// store was not reached, so that the message blames the proxy alone.
func (i *Info) proxy(err error) bool {
	var (
		via       interface{ ProxyAddress() string }
		refusal   interface{ ProxyStatus() int }
		operation *net.OpError
		address   string
		status    int
	)
	switch {
	case errors.As(err, &via):
		address = via.ProxyAddress()
		if errors.As(err, &refusal) {
			status = refusal.ProxyStatus()
		}
	case errors.As(err, &operation) && operation.Op == "proxyconnect": // of net/http
		var inner *net.OpError
		if errors.As(operation.Err, &inner) && inner.Addr != nil {
			address = inner.Addr.String()
		}
		err = operation.Err
	default:
		return false
	}
	op, detail := networkOp(err)
	switch {
	case status == http.StatusProxyAuthRequired:
		op, detail = "proxy", "it asks for a user and a password (HTTP 407)"
	case status != 0:
		op, detail = "proxy", fmt.Sprintf("it refused the connection with HTTP %d", status)
	case op == "":
		op, detail = "proxy", "it could not be used"
	}
	i.Class, i.NetworkOp, i.Endpoint = Network, op, clean(address)
	i.Message = "cannot reach the " + i.Service + " endpoint through the proxy " + clean(address) + ": " + detail +
		"; check HTTPS_PROXY, or the setting proxy of the destination; neither IAM nor AWS is at fault"
	return true
}

func networkOp(err error) (op, detail string) {
	var (
		dns       *net.DNSError
		verify    *tls.CertificateVerificationError
		unknown   x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		header    tls.RecordHeaderError
		alert     tls.AlertError
		operation *net.OpError
		timeout   interface{ Timeout() bool }
		viaURL    *url.Error
	)
	switch {
	case errors.As(err, &dns):
		if dns.IsNotFound {
			return "dns", "DNS has no host " + clean(dns.Name)
		}
		return "dns", "DNS did not answer for " + clean(dns.Name)
	case errors.As(err, &unknown), errors.As(err, &hostname), errors.As(err, &invalid), errors.As(err, &verify):
		return "tls", "its certificate is not trusted (a proxy, or aws.ca_bundle is missing)"
	case errors.As(err, &header), errors.Is(err, http.ErrSchemeMismatch):
		return "tls", "it does not speak TLS"
	case errors.As(err, &alert):
		return "tls", "the TLS handshake failed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connect", "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "connect", "no route to the host"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout", "no answer in time"
	case errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE),
		errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, io.EOF),
		errors.Is(err, net.ErrClosed):
		return "reset", "the connection broke"
	case errors.As(err, &operation) && operation.Op == "dial":
		return "connect", "no connection"
	case errors.As(err, &operation):
		return "reset", "the connection broke"
	case errors.As(err, &viaURL):
		return "connect", "the request could not be sent"
	}
	return "", ""
}

// endpointOf returns host:port. It prefers the URL, which has the requested name. It uses
// only the URL's host, because a query may contain a signature.
func endpointOf(err error) string {
	var viaURL *url.Error
	if errors.As(err, &viaURL) {
		if u, parseErr := url.Parse(viaURL.URL); parseErr == nil && u.Hostname() != "" {
			port := u.Port()
			if port == "" {
				port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
			}
			return clean(net.JoinHostPort(u.Hostname(), port))
		}
	}
	var operation *net.OpError
	if errors.As(err, &operation) && operation.Addr != nil {
		return clean(operation.Addr.String())
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return clean(dns.Name)
	}
	return ""
}
