package wire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
)

// counted counts the writes that reach TCP, and can cut them up or fail them.
type counted struct {
	net.Conn
	mu     sync.Mutex
	writes int
	most   int   // bytes a write takes before it fails; 0: all
	fail   error // after most
}

func (c *counted) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.writes++
	most, fail := c.most, c.fail
	c.mu.Unlock()
	if fail != nil {
		n, err := c.Conn.Write(p[:min(most, len(p))])
		return n, errors.Join(fail, err)
	}
	return c.Conn.Write(p)
}

func (c *counted) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

func roots(srv *httptest.Server) *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(srv.Certificate())
	return p
}

// pair is a burstConn and its peer over a real TCP connection, handshake done.
func pair(t *testing.T, b *bursts) (*burstConn, *tls.Conn, *counted) {
	t.Helper()
	srv := httptest.NewTLSServer(nil)
	t.Cleanup(srv.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	under := &counted{Conn: &restless{Conn: raw, stall: time.Minute}}
	c := b.client(under, &tls.Config{RootCAs: roots(srv), ServerName: "example.com", DynamicRecordSizingDisabled: true})
	peer := tls.Server(accepted, &tls.Config{Certificates: srv.TLS.Certificates})
	t.Cleanup(func() { _, _ = raw.Close(), accepted.Close() })
	shaken := make(chan error, 1)
	go func() { shaken <- peer.Handshake() }()
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	return c, peer, under
}

func random(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n)}).Read(out)
	return out
}

func TestBurstLeavesInOneWriteAndWhole(t *testing.T) {
	c, peer, under := pair(t, newBursts(256<<10))
	for _, n := range []int{1, maxRecord, maxRecord + 1, 64 << 10, 256 << 10} {
		for name, send := range map[string]func([]byte) (int64, error){
			"Write":    func(p []byte) (int64, error) { n, err := c.Write(p); return int64(n), err },
			"ReadFrom": func(p []byte) (int64, error) { return c.ReadFrom(bytes.NewReader(p)) },
		} {
			data, before := random(n), under.count()
			arrived := make(chan []byte, 1)
			go func() {
				got := make([]byte, n)
				_, _ = io.ReadFull(peer, got)
				arrived <- got
			}()
			sent, err := send(data)
			if err != nil || sent != int64(n) {
				t.Fatalf("%s of %d: %d, %v", name, n, sent, err)
			}
			// The peer has it all though nothing else is ever written.
			if !bytes.Equal(<-arrived, data) {
				t.Fatalf("%s of %d bytes arrived otherwise", name, n)
			}
			if w := under.count() - before; w != 1 {
				t.Errorf("%s of %d bytes took %d writes", name, n, w)
			}
			if c.below.buf != nil {
				t.Errorf("%s of %d bytes: a buffer is kept", name, n)
			}
		}
	}
}

func TestLongBodyLeavesInFullBuffers(t *testing.T) {
	const size, n = 256 << 10, 8 << 20
	c, peer, under := pair(t, newBursts(size))
	before, data := under.count(), random(n)
	got := make([]byte, n)
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.ReadFull(peer, got) }()
	if _, err := c.ReadFrom(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	<-done
	if !bytes.Equal(got, data) {
		t.Error("other bytes arrived")
	}
	if w := under.count() - before; w > n/size+1 {
		t.Errorf("%d writes for %d bytes", w, n)
	}
}

func TestBurstThatFailsSaysWhetherAnythingLeft(t *testing.T) {
	boom := errors.New("boom")
	for most, want := range map[int]int64{0: 0, 1: 64 << 10} {
		c, _, under := pair(t, newBursts(256<<10))
		under.most, under.fail = most, boom
		n, err := c.Write(random(64 << 10))
		if !errors.Is(err, boom) || int64(n) != want {
			t.Errorf("%d bytes out: got %d, %v", most, n, err)
		}
		under.fail = nil
		// Which records the peer has is not known: there is no going on.
		if _, err := c.Write(random(10)); !errors.Is(err, boom) {
			t.Errorf("after the failure: %v", err)
		}
		if c.below.buf != nil {
			t.Error("a buffer is kept")
		}
	}
}

func TestSourceThatFailsEndsTheBurst(t *testing.T) {
	c, peer, _ := pair(t, newBursts(256<<10))
	boom := errors.New("boom")
	go func() { _, _ = io.Copy(io.Discard, peer) }()
	for _, err := range []error{boom, io.ErrUnexpectedEOF} {
		n, got := c.ReadFrom(io.MultiReader(bytes.NewReader(random(100)), failing{err}))
		if n != 100 || !errors.Is(got, err) {
			t.Errorf("got %d, %v", n, got)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestDeadlineEndsABurstNobodyTakes(t *testing.T) {
	c, _, _ := pair(t, newBursts(256<<10))
	if err := c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadFrom(endless{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestPeerThatTakesNothingIsAStall(t *testing.T) {
	c, _, under := pair(t, newBursts(256<<10))
	under.Conn.(*restless).stall = 20 * time.Millisecond
	if _, err := c.ReadFrom(endless{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestCloseCutsABurst(t *testing.T) {
	c, _, _ := pair(t, newBursts(256<<10))
	started := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		once := sync.Once{}
		_, err := c.ReadFrom(readerFunc(func(p []byte) (int, error) { once.Do(func() { close(started) }); return len(p), nil }))
		ended <- err
	}()
	<-started
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the burst went on")
	}
	if c.below.buf != nil {
		t.Error("a buffer is kept")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestCloseSaysGoodbyeWhenIdle(t *testing.T) {
	c, peer, _ := pair(t, newBursts(256<<10))
	if _, err := c.Write(random(100 << 10)); err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.Close() }()
	if n, err := io.Copy(io.Discard, peer); err != nil || n != 100<<10 {
		t.Errorf("got %d bytes, %v: without a goodbye it would be an unexpected EOF", n, err)
	}
}

func TestBothWaysAtOnce(t *testing.T) {
	c, peer, _ := pair(t, newBursts(256<<10))
	const n = 4 << 20
	var g sync.WaitGroup
	for _, f := range []func() error{
		func() error { _, err := c.ReadFrom(bytes.NewReader(random(n))); return err },
		func() error { _, err := io.CopyN(io.Discard, c, n); return err },
		func() error { _, err := peer.Write(random(n)); return err },
		func() error { _, err := io.CopyN(io.Discard, peer, n); return err },
	} {
		g.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
}

// store is a client of a server that h is.
func store(t testing.TB, h http.HandlerFunc, o TransportOptions) (*Client, *httptest.Server) {
	t.Helper()
	srv := httptest.NewTLSServer(h)
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
		w.WriteHeader(http.StatusForbidden) // without having read: net/http sends no 100
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
		w.Header().Set("Etag", `"e"`)
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
		r := &request{operation: "PutObject", method: http.MethodPut, key: "k", hash: unsignedPayload, payload: p, patience: 50 * time.Millisecond}
		err := c.do(t.Context(), r, func(http.Header, *document) error { return nil })
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() || errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}

func TestRequestOfWhichNothingLeftGoesToAnotherConnection(t *testing.T) {
	const n = 100 << 10
	served := 0
	var mu sync.Mutex
	c, srv := store(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if got, _ := io.Copy(io.Discard, r.Body); got == n {
			served++
		}
		w.Header().Set("Etag", `"e"`)
	}, TransportOptions{})
	var last *counted
	d := &dialer{stall: time.Minute, bursts: newBursts(defaultBurst), tls: &tls.Config{RootCAs: roots(srv)}}
	tr := c.opts.Transport.(*http.Transport)
	tr.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := d.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		last = &counted{Conn: raw}
		b := d.bursts.client(last, &tls.Config{RootCAs: roots(srv), ServerName: "example.com"})
		return b, b.HandshakeContext(ctx)
	}
	opened := 0
	p := sized(n)
	inner := p.Open
	p.Open = func() (io.Reader, error) { opened++; return inner() }
	if _, err := c.PutObject(t.Context(), Object{Key: "k"}, p); err != nil {
		t.Fatal(err)
	}
	last.mu.Lock()
	last.fail = errors.New("stale")
	last.mu.Unlock()
	if _, err := c.PutObject(t.Context(), Object{Key: "k"}, p); err != nil {
		t.Fatal(err)
	}
	if served != 2 || opened < 3 {
		t.Errorf("%d whole objects served, the body opened %d times", served, opened)
	}
}

func TestPayloadIsNotReadAfterTheCall(t *testing.T) {
	c, _ := store(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, TransportOptions{})
	for range 20 {
		over := false // the race detector watches it, too
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
		old := c.opts.Transport.(*http.Transport)
		tr := NewTransport(TransportOptions{RootCAs: old.TLSClientConfig.RootCAs, Proxy: http.ProxyURL(mustURL(t, proxy.URL))})
		t.Cleanup(tr.CloseIdleConnections)
		o := c.opts
		o.Transport = tr
		through, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := through.PutObject(t.Context(), Object{Key: "k"}, sized(3<<20))
		if err != nil || got.ETag != "through" {
			t.Errorf("a proxy %s: %+v, %v", name, got, err)
		}
	}
	if tunnelled != 2 {
		t.Errorf("%d tunnels", tunnelled)
	}
}

func TestSecretsAreInNoError(t *testing.T) {
	c, _ := store(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><CanonicalRequest>"+r.Header.Get("X-Amz-Security-Token")+"</CanonicalRequest></Error>")
	}, TransportOptions{})
	_, refused := c.PutObject(t.Context(), Object{Key: "k"}, sized(1))
	c.place.host = "127.0.0.1:1"
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
