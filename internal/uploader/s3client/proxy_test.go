package s3client

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
)

// through returns the same client behind a proxy.
func (c *Client) through(t *testing.T, proxy func(*http.Request) (*url.URL, error)) *Client {
	t.Helper()
	o := c.opts
	o.Transport = NewTransport(TransportOptions{RootCAs: c.opts.Transport.dial.tls.RootCAs, Proxy: proxy})
	t.Cleanup(o.Transport.CloseIdleConnections)
	through, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return through
}

func TestThroughAProxyTheStoreIsReached(t *testing.T) {
	c, _ := store(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Etag", `"through"`)
	}, TransportOptions{})
	tunnelled := 0
	connect := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
			return
		}
		tunnelled++
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		down, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(up, down); _ = up.Close() }()
		_, _ = io.Copy(down, up)
		_ = down.Close()
	})
	for name, proxy := range map[string]*httptest.Server{"plain": httptest.NewServer(connect), "over TLS": httptest.NewTLSServer(connect)} {
		t.Cleanup(proxy.Close)
		through := c.through(t, http.ProxyURL(mustURL(t, proxy.URL)))
		got, err := through.PutObject(t.Context(), Object{Key: "k"}, sized(3<<20))
		if err != nil || got.ETag != "through" {
			t.Errorf("a proxy %s: %+v, %v", name, got, err)
		}
	}
	if tunnelled != 2 {
		t.Errorf("%d tunnels", tunnelled)
	}
}

func TestWithoutTLSAProxyForwards(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Host == "" || r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("user:word")) {
			t.Errorf("%s with %q", r.RequestURI, r.Header.Get("Proxy-Authorization"))
		}
		w.Header().Set("Etag", `"forwarded"`)
	}))
	t.Cleanup(plain.Close)
	proxy := mustURL(t, plain.URL)
	proxy.User = url.UserPassword("user", "word")
	tr := NewTransport(TransportOptions{Proxy: http.ProxyURL(proxy)})
	t.Cleanup(tr.CloseIdleConnections)
	c, err := New(Options{Endpoint: "http://store.example", Region: "eu-west-1", Bucket: "bucket", Transport: tr,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "SECRETEXAMPLE", "TOKENEXAMPLE")})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.PutObject(t.Context(), Object{Key: "k"}, sized(10)); err != nil || got.ETag != "forwarded" {
		t.Errorf("%+v, %v", got, err)
	}
}

// socks starts a SOCKS 5 proxy that knows one request: CONNECT to an IPv4 address,
// without a password.
func socks(t *testing.T) (address string, used *atomic.Int32) {
	t.Helper()
	used = new(atomic.Int32)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				hello := make([]byte, 2)
				_, _ = io.ReadFull(conn, hello)
				_, _ = io.ReadFull(conn, make([]byte, hello[1]))
				_, _ = conn.Write([]byte{5, 0})
				r := make([]byte, 10)
				if _, err := io.ReadFull(conn, r); err != nil || r[3] != 1 {
					return
				}
				up, err := net.Dial("tcp", fmt.Sprintf("%d.%d.%d.%d:%d", r[4], r[5], r[6], r[7], int(r[8])<<8|int(r[9])))
				if err != nil {
					return
				}
				used.Add(1)
				_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
				go func() { _, _ = io.Copy(up, conn); _ = up.Close() }()
				_, _ = io.Copy(conn, up)
			}()
		}
	}()
	return l.Addr().String(), used
}

func TestThroughSOCKSTheStoreIsReached(t *testing.T) {
	c, _ := store(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }, TransportOptions{})
	address, used := socks(t)
	through := c.through(t, http.ProxyURL(mustURL(t, "socks5://"+address)))
	if _, err := through.PutObject(t.Context(), Object{Key: "k"}, sized(3<<20)); err != nil || used.Load() != 1 {
		t.Errorf("%v, used %d times", err, used.Load())
	}
}

func TestProxyThatRefusesIsNamedWithoutItsPassword(t *testing.T) {
	c, _ := store(t, func(http.ResponseWriter, *http.Request) {}, TransportOptions{})
	no := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	t.Cleanup(no.Close)
	proxy := mustURL(t, no.URL)
	proxy.User = url.UserPassword("user", "secretword")
	_, err := c.through(t, http.ProxyURL(proxy)).PutObject(t.Context(), Object{Key: "k"}, sized(1))
	if err == nil || !strings.Contains(err.Error(), "proxy") || !strings.Contains(err.Error(), "407") ||
		strings.Contains(err.Error(), "secretword") {
		t.Errorf("got %v", err)
	}
	if _, err := New(Options{Region: "eu-west-1", Bucket: "bucket", Credentials: c.opts.Credentials,
		Transport: NewTransport(TransportOptions{Proxy: http.ProxyURL(mustURL(t, "ftp://u:secretword@proxy.example"))})}); err == nil ||
		strings.Contains(err.Error(), "secretword") {
		t.Errorf("a proxy of another kind: %v", err)
	}
}
