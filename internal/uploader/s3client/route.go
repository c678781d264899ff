package s3client

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// route is the way to a store. Connections of the same route are interchangeable.
type route struct {
	secure  bool   // TLS with the store
	address string // host:port of the store
	proxy   string // URL of the proxy; empty: none
}

// routeTo returns the route to an endpoint.
func (t *Transport) routeTo(e endpoint) (route, error) {
	r := route{secure: e.scheme == "https", address: e.host}
	u := &url.URL{Scheme: e.scheme, Host: e.host, Path: "/"}
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
	proxy, err := t.proxy(&http.Request{Method: http.MethodPut, URL: u, Host: e.host, Header: make(http.Header)})
	if err != nil {
		return route{}, fmt.Errorf("s3client: the proxy for %s: %w", e.host, err)
	}
	if proxy == nil {
		return r, nil
	}
	switch proxy.Scheme {
	case "http", "https", "socks5", "socks5h":
	default:
		return route{}, fmt.Errorf("s3client: the proxy's URL has the scheme %q: use http, https or socks5", proxy.Scheme)
	}
	r.proxy = proxy.String()
	return r, nil
}

// forwarded reports whether the proxy receives the requests itself, as an HTTP proxy
// does without TLS. authorization is the value of Proxy-Authorization.
func (r route) forwarded() (authorization string, forwarded bool) {
	if r.secure || r.proxy == "" {
		return "", false
	}
	u, err := url.Parse(r.proxy)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	return basic(u.User), true
}

// basic returns the value of Proxy-Authorization; empty without a user.
func basic(u *url.Userinfo) string {
	if u == nil {
		return ""
	}
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}
