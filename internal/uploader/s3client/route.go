package s3client

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// route is how a store is reached: connections of the same route are interchangeable.
type route struct {
	secure  bool   // TLS with the store
	address string // host:port of the store
	proxy   string // URL of the proxy; empty: none
}

// routeTo finds the way to a place.
func (t *Transport) routeTo(p place) (route, error) {
	r := route{secure: p.scheme == "https", address: p.host}
	u := &url.URL{Scheme: p.scheme, Host: p.host, Path: "/"}
	if u.Port() == "" {
		port := "80"
		if r.secure {
			port = "443"
		}
		r.address = net.JoinHostPort(u.Hostname(), port)
	}
	if t.proxy == nil {
		return r, nil
	}
	proxy, err := t.proxy(&http.Request{Method: http.MethodPut, URL: u, Host: p.host, Header: make(http.Header)})
	if err != nil {
		return route{}, fmt.Errorf("wire: the proxy for %s: %w", p.host, err)
	}
	if proxy == nil {
		return r, nil
	}
	switch proxy.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return route{}, fmt.Errorf("wire: a proxy is reached by http, https or socks5, not by %q", proxy.Scheme)
	}
	r.proxy = proxy.String()
	return r, nil
}

// forwarded says whether requests go to the proxy itself, as they do without TLS
// through an HTTP proxy, and what they say to it.
func (r route) forwarded() (authorization string, yes bool) {
	if r.secure || r.proxy == "" {
		return "", false
	}
	u, err := url.Parse(r.proxy)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	return basic(u.User), true
}

// basic is what a proxy is told of its user; empty when nothing is.
func basic(u *url.Userinfo) string {
	if u == nil {
		return ""
	}
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}
