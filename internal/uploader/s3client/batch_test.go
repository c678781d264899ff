package s3client

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"
)

// counted counts the writes that reach TCP, and can make them short or fail them.
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

// pair is a batchConn and its peer over a real TCP connection, handshake done.
func pair(t *testing.T, b *batchBuffers) (*batchConn, *tls.Conn, *counted) {
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
	under := &counted{Conn: newStallGuardConn(raw, time.Minute)}
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
	c, peer, under := pair(t, newBatchBuffers(256<<10))
	for _, n := range []int{1, maxRecord, maxRecord + 1, 64 << 10, 256 << 10} {
		for name, send := range map[string]func([]byte) error{
			"head":          func(p []byte) error { return c.send(p, nil) },
			"body":          func(p []byte) error { return c.send(nil, bytes.NewReader(p)) },
			"head and body": func(p []byte) error { return c.send(p[:len(p)/3], bytes.NewReader(p[len(p)/3:])) },
		} {
			data, before := random(n), under.count()
			arrived := make(chan []byte, 1)
			go func() {
				got := make([]byte, n)
				_, _ = io.ReadFull(peer, got)
				arrived <- got
			}()
			if err := send(data); err != nil {
				t.Fatalf("%s of %d: %v", name, n, err)
			}
			// The peer has every byte, with no later write.
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
	c, peer, under := pair(t, newBatchBuffers(size))
	before, data := under.count(), random(n)
	got := make([]byte, n)
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.ReadFull(peer, got) }()
	if err := c.send(nil, bytes.NewReader(data)); err != nil {
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

func TestBurstThatFailedIsTheLast(t *testing.T) {
	boom := errors.New("boom")
	for _, most := range []int{0, 1} {
		c, _, under := pair(t, newBatchBuffers(256<<10))
		under.most, under.fail = most, boom
		if err := c.send(random(64<<10), nil); !errors.Is(err, boom) {
			t.Errorf("%d bytes out: %v", most, err)
		}
		under.fail = nil
		// It is unknown which records the peer has, so the error is final.
		if err := c.send(random(10), nil); !errors.Is(err, boom) {
			t.Errorf("after the failure: %v", err)
		}
		if c.below.buf != nil {
			t.Error("a buffer is kept")
		}
	}
}

func TestSourceThatFailsEndsTheBurst(t *testing.T) {
	c, peer, _ := pair(t, newBatchBuffers(256<<10))
	boom := errors.New("boom")
	go func() { _, _ = io.Copy(io.Discard, peer) }()
	for _, err := range []error{boom, io.ErrUnexpectedEOF} {
		if got := c.send(nil, io.MultiReader(bytes.NewReader(random(100)), failing{err})); !errors.Is(got, err) {
			t.Errorf("got %v", got)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestPeerThatTakesNothingIsAStall(t *testing.T) {
	c, _, under := pair(t, newBatchBuffers(256<<10))
	under.Conn.(*stallGuardConn).stall = 20 * time.Millisecond
	if err := c.send(nil, endless{}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestCloseSaysGoodbyeWhenIdle(t *testing.T) {
	c, peer, _ := pair(t, newBatchBuffers(256<<10))
	if err := c.send(random(100<<10), nil); err != nil {
		t.Fatal(err)
	}
	go func() { _ = c.Close() }()
	if n, err := io.Copy(io.Discard, peer); err != nil || n != 100<<10 {
		t.Errorf("got %d bytes, %v: without a goodbye it would be an unexpected EOF", n, err)
	}
}

func TestBothWaysAtOnce(t *testing.T) {
	c, peer, _ := pair(t, newBatchBuffers(256<<10))
	const n = 4 << 20
	var g sync.WaitGroup
	for _, f := range []func() error{
		func() error { return c.send(nil, bytes.NewReader(random(n))) },
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
