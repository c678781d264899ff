package s3client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
)

// confirming sets the ETag that confirms a write, and calls h.
func confirming(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"e"`)
		h(w, r)
	}
}

// store starts a server with the handler h and returns a client of it.
func store(t testing.TB, h http.HandlerFunc, o TransportOptions) (*Client, *httptest.Server) {
	t.Helper()
	srv := httptest.NewTLSServer(confirming(h))
	t.Cleanup(srv.Close)
	o.RootCAs = roots(srv)
	tr := NewTransport(o)
	t.Cleanup(tr.CloseIdleConnections)
	c, err := New(Options{
		Endpoint: srv.URL, Region: "eu-west-1", Bucket: "bucket", PathStyle: true, Transport: tr,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "SECRETEXAMPLE", "TOKENEXAMPLE"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, srv
}

func sized(n int) Payload {
	data := random(n)
	return Payload{Open: func() (io.Reader, error) { return bytes.NewReader(data), nil }, Size: int64(n)}
}

func TestRefusalBeforeA100CostsNoByteOfTheBody(t *testing.T) {
	c, _ := store(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "100-continue" {
			t.Error("it was not asked for")
		}
		w.WriteHeader(http.StatusForbidden) // without a read of the body: net/http then sends no 100
	}, TransportOptions{})
	p := sized(3 << 20)
	read := false
	p.Open = func() (io.Reader, error) {
		return readerFunc(func(p []byte) (int, error) { read = true; return len(p), nil }), nil
	}
	_, err := c.PutObject(t.Context(), Object{Key: "k"}, p)
	var refused *ResponseError
	if !errors.As(err, &refused) || refused.Code != "AccessDenied" || read {
		t.Errorf("got %v, body read: %v", err, read)
	}
}

func TestBodyFollowsA100(t *testing.T) {
	const n = 5 << 20
	c, _ := store(t, func(w http.ResponseWriter, r *http.Request) {
		if got, err := io.Copy(io.Discard, r.Body); err != nil || got != n {
			t.Errorf("%d bytes, %v", got, err)
		}
	}, TransportOptions{})
	for range 3 {
		if _, err := c.PutObject(t.Context(), Object{Key: "k"}, sized(n)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSilenceAfterTheRequestHasALimit(t *testing.T) {
	gone := make(chan struct{})
	c, _ := store(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-gone
	}, TransportOptions{})
	t.Cleanup(func() { close(gone) })
	for _, p := range []*Payload{nil, new(sized(100 << 10))} {
		r := &request{operation: "PutObject", method: http.MethodPut, key: "k", hash: unsignedPayload, payload: p,
			responseTimeout: 50 * time.Millisecond}
		err := c.do(t.Context(), r, func(http.Header, *document) error { return nil })
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() || errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}

func TestPayloadIsNotReadAfterTheCall(t *testing.T) {
	c, _ := store(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, TransportOptions{})
	for range 20 {
		over := false // the race detector checks it too
		p := Payload{Size: 1<<20 + 1, Open: func() (io.Reader, error) {
			return readerFunc(func(p []byte) (int, error) {
				if over {
					t.Error("read after the call")
				}
				return min(len(p), 4096), nil
			}), nil
		}}
		_, _ = c.PutObject(t.Context(), Object{Key: "k"}, p)
		over = true
	}
}

func TestSecretsAreInNoError(t *testing.T) {
	c, _ := store(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><CanonicalRequest>"+
			r.Header.Get("X-Amz-Security-Token")+"</CanonicalRequest></Error>")
	}, TransportOptions{})
	_, refused := c.PutObject(t.Context(), Object{Key: "k"}, sized(1))
	c.endpoint.host = "127.0.0.1:1"
	c.opts.Transport = NewTransport(TransportOptions{})
	_, unreached := c.PutObject(t.Context(), Object{Key: "k"}, sized(1))
	_, forged := c.PutObject(t.Context(), Object{Key: "k", Metadata: map[string]string{"a": "\x01"}}, sized(1))
	for _, err := range []error{refused, unreached, forged} {
		if err == nil || strings.Contains(err.Error(), "EXAMPLE") {
			t.Errorf("got %v", err)
		}
	}
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// connections starts a store that counts its connections.
func connections(t *testing.T, h http.HandlerFunc) (*Client, *atomic.Int32) {
	t.Helper()
	var opened atomic.Int32
	srv := httptest.NewUnstartedServer(confirming(h))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	tr := NewTransport(TransportOptions{RootCAs: roots(srv)})
	t.Cleanup(tr.CloseIdleConnections)
	c, err := New(Options{Endpoint: srv.URL, Region: "eu-west-1", Bucket: "bucket", PathStyle: true, Transport: tr,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "SECRETEXAMPLE", "TOKENEXAMPLE")})
	if err != nil {
		t.Fatal(err)
	}
	return c, &opened
}

func TestOneConnectionCarriesOneRequestAfterTheOther(t *testing.T) {
	c, opened := connections(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasSuffix(r.URL.Path, "refused") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>")
		}
	})
	for range 3 {
		for _, n := range []int{0, 1, 100 << 10, 3 << 20} {
			if _, err := c.PutObject(t.Context(), Object{Key: "k"}, sized(n)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.PutObject(t.Context(), Object{Key: "refused"}, sized(n)); err == nil {
				t.Fatal("it was not refused")
			}
		}
		if _, err := c.HeadObject(t.Context(), "k"); err == nil {
			t.Fatal("a HEAD without a length")
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestConnectionIsNotUsedAgainWhenTheStoreSaysSo(t *testing.T) {
	c, opened := connections(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Connection", "close")
	})
	for range 3 {
		if _, err := c.PutObject(t.Context(), Object{Key: "k"}, sized(10)); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

func TestConnectionThatTheStoreHasClosedIsNotUsed(t *testing.T) {
	var served atomic.Int32
	c, opened := connections(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		served.Add(1)
	})
	put := func() {
		t.Helper()
		if _, err := c.PutObject(t.Context(), Object{Key: "k"}, sized(10)); err != nil {
			t.Fatal(err)
		}
	}
	put()
	for _, list := range c.opts.Transport.idle {
		for _, kept := range list {
			_ = kept.sock.Conn.(*net.TCPConn).CloseRead() // for the kernel this is a FIN of the store
		}
	}
	put()
	if served.Load() != 2 || opened.Load() != 2 {
		t.Errorf("%d requests on %d connections", served.Load(), opened.Load())
	}
}

// dialCounted makes connections whose writes can fail, and whose staleness is not
// visible before.
type dialCounted struct{ last *counted }

func (d *dialCounted) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.last = &counted{Conn: raw}
	return struct{ net.Conn }{d.last}, nil
}

func TestRequestOfWhichNothingLeftGoesToAnotherConnection(t *testing.T) {
	const n = 100 << 10
	var served atomic.Int32
	c, _ := store(t, func(_ http.ResponseWriter, r *http.Request) {
		if got, _ := io.Copy(io.Discard, r.Body); got == n {
			served.Add(1)
		}
	}, TransportOptions{})
	var d dialCounted
	c.opts.Transport.dial.tcp = &d
	opened := 0
	p := sized(n)
	inner := p.Open
	p.Open = func() (io.Reader, error) { opened++; return inner() }
	for most, want := range []int32{2, 3} {
		if _, err := c.PutObject(t.Context(), Object{Key: "k"}, p); err != nil {
			t.Fatal(err)
		}
		d.last.mu.Lock()
		d.last.most, d.last.fail = most, errors.New("stale")
		d.last.mu.Unlock()
		_, err := c.PutObject(t.Context(), Object{Key: "k"}, p)
		// Once a byte is sent, the outcome is unknown, and the caller decides.
		if again := most == 0; again != (err == nil) {
			t.Errorf("%d bytes out: %v", most, err)
		}
		if served.Load() != want {
			t.Errorf("%d bytes out: %d whole objects served, want %d", most, served.Load(), want)
		}
	}
	if opened != 5 {
		t.Errorf("the body was opened %d times", opened)
	}
}

// early returns a client of a store that reads 1 MiB of a body, responds, reads no
// more, and does not close.
func early(t *testing.T, answer string) *Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone); _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.ReadFull(conn, make([]byte, 64))
				_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
				_, _ = io.CopyN(io.Discard, conn, 1<<20)
				_, _ = io.WriteString(conn, answer)
				<-gone
			}()
		}
	}()
	c, err := New(Options{Endpoint: "http://" + l.Addr().String(), Region: "eu-west-1", Bucket: "bucket", PathStyle: true,
		Transport:   NewTransport(TransportOptions{}),
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "SECRETEXAMPLE", "TOKENEXAMPLE")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnswerThatComesWhileTheBodyIsSentEndsIt(t *testing.T) {
	long := Payload{Size: 1 << 40, Open: func() (io.Reader, error) { return endless{}, nil }}
	_, err := early(t, "HTTP/1.1 503 Slow Down\r\nContent-Length: 38\r\n\r\n<Error><Code>SlowDown</Code></Error>   ").PutObject(t.Context(),
		Object{Key: "k"}, long)
	var refused *ResponseError
	if !errors.As(err, &refused) || refused.Code != "SlowDown" {
		t.Errorf("a refusal: %v", err)
	}
	// A store cannot have stored bytes that were not sent.
	_, err = early(t, "HTTP/1.1 200 OK\r\nEtag: \"e\"\r\nContent-Length: 0\r\n\r\n").PutObject(t.Context(), Object{Key: "k"}, long)
	if err == nil || errors.As(err, &refused) && refused.Status < 300 {
		t.Errorf("a success: %v", err)
	}
}

func TestIdleConnectionsAreClosedInTime(t *testing.T) {
	c, _ := connections(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	tr := c.opts.Transport
	tr.keep = 20 * time.Millisecond
	kept := func() int {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return len(tr.idle)
	}
	if _, err := c.PutObject(t.Context(), Object{Key: "k"}, sized(10)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(time.Millisecond); kept() > 0; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it is still there")
		}
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.reaper != nil {
		t.Error("a timer runs for nothing")
	}
}

// FuzzResponseBytes has a store that sends arbitrary bytes and closes.
func FuzzResponseBytes(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nEtag: \"e\"\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<a/>x\r\n0\r\n\r\n",
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\n<Error>",
		"HTTP/1.0 200 OK\r\n\r\nrest", "HTTP/0.0 200 OK\n\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "", "\x15\x03\x01\x00\x02",
		strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 40), "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", maxHead),
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, text string, large bool) {
		ours, theirs := net.Pipe()
		go func() {
			defer func() { _ = theirs.Close() }()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			_, _ = io.WriteString(theirs, text)
		}()
		b := newBatchBuffers(defaultBatch)
		sock := newStallGuardConn(ours, time.Minute)
		c := newConn(sock, &plainConn{Conn: sock, buffers: b})
		defer c.close()
		size := 10
		if large {
			size = expectAbove + 1
		}
		p := sized(size)
		a, err := c.exchange(t.Context(), &outgoing{
			method: http.MethodPut, head: []byte("PUT / HTTP/1.1\r\n\r\n"), payload: &p, responseTimeout: time.Minute,
		})
		if (a == nil) == (err == nil) {
			t.Fatalf("an answer %v and an error %v", a, err)
		}
		if a != nil && a.status < 300 && !strings.Contains(text, "HTTP/1.") {
			t.Fatalf("a success out of %q", text)
		}
	})
}
