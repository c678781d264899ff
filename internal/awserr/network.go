package awserr

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
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
