package s3client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// dialer makes connections to stores, directly or through a proxy.
type dialer struct {
	tcp     proxy.ContextDialer
	tls     *tls.Config
	stall   time.Duration
	buffers *batchBuffers
}

// connect returns a connection that can carry requests to a store.
func (d *dialer) connect(ctx context.Context, r route) (c *conn, err error) {
	sock, below, err := d.dialRoute(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = sock.Close() // err tells more
		}
	}()
	if !r.secure {
		return newConn(sock, &plainConn{Conn: below, buffers: d.buffers}), nil
	}
	cfg := d.configFor(r.address)
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	s := d.buffers.client(below, cfg)
	if err := s.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return newConn(sock, s), nil
}

func (d *dialer) configFor(address string) *tls.Config {
	cfg := d.tls.Clone()
	cfg.ServerName = address
	if host, _, err := net.SplitHostPort(address); err == nil {
		cfg.ServerName = host
	}
	return cfg
}

// dialRoute makes a connection to the store, through the route's proxy if it has one.
// sock is the TCP connection, and leads is the connection to speak to the store on.
func (d *dialer) dialRoute(ctx context.Context, r route) (sock *stallGuardConn, leads net.Conn, err error) {
	if r.proxy == "" {
		sock, err = d.open(ctx, d.tcp, r.address)
		return sock, sock, err
	}
	u, err := url.Parse(r.proxy)
	if err != nil {
		return nil, nil, fmt.Errorf("the URL of the proxy: %w", err)
	}
	if u.Scheme == "socks5" || u.Scheme == "socks5h" {
		var auth *proxy.Auth
		if u.User != nil {
			password, _ := u.User.Password()
			auth = &proxy.Auth{User: u.User.Username(), Password: password}
		}
		socks, err := proxy.SOCKS5("tcp", withPort(u, "1080"), auth, forward{d.tcp})
		if err != nil {
			return nil, nil, fmt.Errorf("connecting to the proxy: %w", err)
		}
		if sock, err = d.open(ctx, socks.(proxy.ContextDialer), r.address); err != nil {
			return nil, nil, &ProxyError{Address: withPort(u, "1080"), Err: err}
		}
		return sock, sock, nil
	}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	address := withPort(u, port)
	if sock, err = d.open(ctx, d.tcp, address); err != nil {
		return nil, nil, &ProxyError{Address: address, Err: err}
	}
	leads = sock
	if u.Scheme == "https" {
		over := tls.Client(sock, d.configFor(address))
		if err := over.HandshakeContext(ctx); err != nil {
			_ = sock.Close()
			return nil, nil, &ProxyError{Address: address, Err: err}
		}
		leads = over
	}
	if r.secure {
		if err := tunnel(ctx, sock, leads, r.address, basic(u.User)); err != nil {
			_ = sock.Close()
			var refused *ProxyError
			if errors.As(err, &refused) {
				refused.Address = address
				return nil, nil, refused
			}
			return nil, nil, &ProxyError{Address: address, Err: err}
		}
	}
	return sock, leads, nil
}

func (d *dialer) open(ctx context.Context, by proxy.ContextDialer, address string) (*stallGuardConn, error) {
	c, err := by.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return newStallGuardConn(c, d.stall), nil
}

// tunnel makes an HTTP proxy connect c to address, by CONNECT.
func tunnel(ctx context.Context, sock, c net.Conn, address, authorization string) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	unhook := context.AfterFunc(ctx, func() { _ = sock.Close() })
	defer unhook()
	text := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if authorization != "" {
		text += "Proxy-Authorization: " + authorization + "\r\n"
	}
	if _, err := io.WriteString(c, text+"\r\n"); err != nil {
		return err
	}
	// The buffer holds no byte of the store: the store sends none before the handshake.
	head := bufio.NewReaderSize(io.LimitReader(c, maxHead), 1024)
	resp, err := http.ReadResponse(head, &http.Request{Method: http.MethodConnect}) //nolint:bodyclose // a tunnel has no body
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &ProxyError{Status: resp.StatusCode}
	}
	return nil
}

func withPort(u *url.URL, port string) string {
	if p := u.Port(); p != "" {
		port = p
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// forward makes a ContextDialer a proxy.Dialer.
type forward struct{ proxy.ContextDialer }

// Dial implements proxy.Dialer. The SOCKS dialer calls DialContext instead.
func (f forward) Dial(network, address string) (net.Conn, error) {
	return f.DialContext(context.Background(), network, address)
}
