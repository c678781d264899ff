package recorded

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxHead bounds the kept bytes of an answer.
const maxHead = 64 << 10

// recorder is the HTTP client of a run. It keeps the last answer as it was on the
// wire, and follows no redirect. It serves one request at a time.
type recorder struct {
	transport *http.Transport

	mu   sync.Mutex
	raw  []byte
	last *Answer
	seen []string // method and URL of each request, for the report of a failure
}

// Dialer opens the connection for a host name and port of AWS.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newRecorder makes the client. dial nil dials the address itself; tlsConfig nil
// trusts the system's roots.
func newRecorder(dial Dialer, tlsConfig *tls.Config) *recorder {
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	r := &recorder{}
	r.transport = &http.Transport{
		// Only HTTP/1.1 shows the case of header names.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			secured, err := r.handshake(ctx, conn, address, tlsConfig)
			if err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			return secured, nil
		},
		ResponseHeaderTimeout: time.Minute,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
	}
	return r
}

func (r *recorder) handshake(ctx context.Context, conn net.Conn, address string, config *tls.Config) (net.Conn, error) {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("reading the address %q: %w", address, err)
		}
		config.ServerName = host
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	return &tappedConn{Conn: secured, recorder: r}, nil
}

// tappedConn gives the recorder a copy of the bytes that are read.
type tappedConn struct {
	net.Conn
	recorder *recorder
}

func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.recorder.mu.Lock()
	defer c.recorder.mu.Unlock()
	if room := maxHead - len(c.recorder.raw); room > 0 {
		c.recorder.raw = append(c.recorder.raw, p[:min(n, room)]...)
	}
	return n, err
}

// Do implements the SDK's interface of an HTTP client.
func (r *recorder) Do(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.raw, r.last = nil, nil
	r.seen = append(r.seen, req.Method+" "+req.URL.String())
	r.mu.Unlock()
	res, err := r.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = newAnswer(res, r.raw, body)
	return res, nil
}

// answer is the last one; nil when the last request has none.
func (r *recorder) answer() *Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *recorder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = nil
}

func (r *recorder) close() { r.transport.CloseIdleConnections() }
