package wire

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync/atomic"
	"time"
)

// TransportOptions are how a transport connects. The zero value is usable.
type TransportOptions struct {
	// RootCAs are the trusted roots; nil means the system's.
	RootCAs *x509.CertPool
	// Proxy names the proxy of a request, as http.ProxyFromEnvironment does; nil means none.
	Proxy func(*http.Request) (*url.URL, error)
	// MaxConnsPerHost bounds the connections to one host, idle ones included: HTTP/1.1
	// carries one request at a time on each. 0 means no bound, and 128 idle ones.
	MaxConnsPerHost int
	// WriteBuffer is how much of a TLS burst is gathered before it leaves, in bytes;
	// 0 means 128 KiB, from where on more brings nothing. A connection holds it only while it writes.
	WriteBuffer int
	// DialTimeout bounds name resolution and TCP's connect; 0 means 5 seconds.
	DialTimeout time.Duration
	// StallTimeout bounds the wait for a peer that takes no byte at all; 0 means 30 seconds.
	StallTimeout time.Duration
}

const (
	defaultBurst     = 128 << 10
	defaultIdle      = 128
	handshakeTimeout = 10 * time.Second
	// headBuffer is net/http's own buffer of a connection, which lives as long as
	// the connection. It takes a small object with its headers in one write.
	headBuffer = 32 << 10
)

// NewTransport makes a transport for S3: HTTP/1.1 only, connections kept for as
// many requests as may be in flight, TLS written in bursts. Share it: copies do
// not share connections. Connections through a CONNECT proxy write record by record.
func NewTransport(o TransportOptions) *http.Transport {
	d := &dialer{
		net:    net.Dialer{Timeout: cmp.Or(o.DialTimeout, 5*time.Second), KeepAlive: 30 * time.Second},
		stall:  cmp.Or(o.StallTimeout, 30*time.Second),
		bursts: newBursts(cmp.Or(o.WriteBuffer, defaultBurst)),
		tls: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs, NextProtos: []string{"http/1.1"},
			ClientSessionCache: tls.NewLRUClientSessionCache(64),
			// Small first records serve a reader that shows pages; this one stores objects.
			DynamicRecordSizingDisabled: true,
		},
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy: o.Proxy, DialContext: d.dial, DialTLSContext: d.dialTLS, TLSClientConfig: d.tls, Protocols: protocols,
		TLSHandshakeTimeout: handshakeTimeout, ExpectContinueTimeout: time.Second,
		MaxConnsPerHost: o.MaxConnsPerHost, MaxIdleConnsPerHost: cmp.Or(o.MaxConnsPerHost, defaultIdle),
		IdleConnTimeout: 90 * time.Second, WriteBufferSize: headBuffer, MaxResponseHeaderBytes: 256 << 10,
		DisableCompression: true,
	}
}

type dialer struct {
	net    net.Dialer
	tls    *tls.Config
	stall  time.Duration
	bursts *bursts
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &restless{Conn: conn, stall: d.stall}, nil
}

// dialTLS is for hosts that are reached directly; a proxy that is itself reached
// over TLS is such a host, too.
func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	cfg := d.tls.Clone()
	cfg.ServerName = host
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	c := d.bursts.client(conn, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error is the one that counts
		return nil, err
	}
	return c, nil
}

// restless is a connection whose peer has to take something every so often. It
// is progress that counts, not size: a slow line is no stall.
type restless struct {
	net.Conn
	stall    time.Duration
	deadline atomic.Bool // somebody set one, which then counts
}

// Write implements net.Conn.
func (c *restless) Write(p []byte) (int, error) {
	if c.deadline.Load() {
		return c.Conn.Write(p)
	}
	written := 0
	for {
		if err := c.Conn.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(p[written:])
		written += n
		if err == nil || n == 0 || c.deadline.Load() || !errors.Is(err, os.ErrDeadlineExceeded) {
			return written, err
		}
	}
}

// SetDeadline implements net.Conn.
func (c *restless) SetDeadline(t time.Time) error {
	c.deadline.Store(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (c *restless) SetWriteDeadline(t time.Time) error {
	c.deadline.Store(!t.IsZero())
	return c.Conn.SetWriteDeadline(t)
}
