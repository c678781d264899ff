package s3client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
)

// slowStore reads chunk bytes of a request at each tick, until it has read limit bytes,
// and responds after n. Its receive buffer is small, so that the client's kernel holds
// the rest.
type slowStore struct {
	chunk, limit, n int
	respond         func(w io.Writer, tick <-chan time.Time)
}

func (s slowStore) client(t *testing.T) *Client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	done := make(chan struct{})
	t.Cleanup(func() { close(gone); _ = l.Close(); <-done })
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		_ = c.(*net.TCPConn).SetReadBuffer(16 << 10)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		r := bufio.NewReaderSize(c, 1024)
		for {
			line, err := r.ReadString('\n')
			if err != nil || line == "\r\n" {
				break
			}
		}
		for read := 0; read < s.limit; {
			<-tick.C
			m, err := io.CopyN(io.Discard, r, int64(min(s.chunk, s.limit-read)))
			if read += int(m); err != nil {
				return
			}
		}
		if s.limit < s.n {
			<-gone // a black hole
			return
		}
		s.respond(c, tick.C)
	}()
	tr := NewTransport(TransportOptions{StallTimeout: time.Second})
	tr.dial.tcp = largeBuffer{}
	t.Cleanup(tr.CloseIdleConnections)
	c, err := New(Options{Endpoint: "http://" + l.Addr().String(), Region: "eu-west-1", Bucket: "bucket", PathStyle: true, Transport: tr,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "SECRETEXAMPLE", "TOKENEXAMPLE")})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// largeBuffer makes connections whose kernel takes a whole body at once.
type largeBuffer struct{}

func (largeBuffer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		err = c.(*net.TCPConn).SetWriteBuffer(4 << 20)
	}
	return c, err
}

func plainOK(w io.Writer, _ <-chan time.Time) {
	_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nEtag: \"e\"\r\nContent-Length: 0\r\n\r\n")
}

// A slow line that needs many times the limits is no failure, as long as it moves. The
// kernel has the whole body within milliseconds, so only its queue shows the progress.
func TestSlowLinesAreNoStall(t *testing.T) {
	const n = 1 << 20
	c := slowStore{chunk: 4 << 10, limit: n, n: n, respond: plainOK}.client(t)
	r := &request{operation: "PutObject", method: http.MethodPut, key: "k", hash: unsignedPayload, payload: new(sized(n)),
		responseTimeout: time.Second}
	began := time.Now()
	if err := c.do(t.Context(), r, func(http.Header, *document) error { return nil }); err != nil {
		t.Fatalf("after %s: %v", time.Since(began), err)
	}
	if took := time.Since(began); took < 2*time.Second {
		t.Fatalf("it took %s: the limits were not exceeded, so the test shows no progress", took)
	}
}

func TestABlackHoleFails(t *testing.T) {
	const n = 1 << 20
	c := slowStore{chunk: 4 << 10, limit: n / 8, n: n, respond: plainOK}.client(t)
	r := &request{operation: "PutObject", method: http.MethodPut, key: "k", hash: unsignedPayload, payload: new(sized(n)),
		responseTimeout: time.Second}
	err := c.do(t.Context(), r, func(http.Header, *document) error { return nil })
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

// S3 keeps a long completion alive with blanks: each one starts the limit again.
func TestBlanksKeepACompletionAlive(t *testing.T) {
	const text = "<CompleteMultipartUploadResult><ETag>\"x-1\"</ETag></CompleteMultipartUploadResult>"
	c := slowStore{respond: func(w io.Writer, tick <-chan time.Time) {
		_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<?xml version=\"1.0\"?>\n")
		for range 200 {
			<-tick
			_, _ = io.WriteString(w, " ")
		}
		_, _ = io.WriteString(w, text)
	}}.client(t)
	r := &request{operation: "CompleteMultipartUpload", method: http.MethodPost, key: "k", hash: emptyPayload, responseTimeout: time.Second}
	var got *document
	if err := c.do(t.Context(), r, func(_ http.Header, d *document) error { got = d; return nil }); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(got.XMLName.Local, "Result") {
		t.Errorf("got %+v", got)
	}
}

// scriptedStore responds to a completion after wait, over a connection in memory.
type scriptedStore struct{ wait time.Duration }

func (s scriptedStore) DialContext(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer func() { _ = theirs.Close() }()
		r := bufio.NewReader(theirs)
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		time.Sleep(s.wait) // virtual
		_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 63\r\n\r\n"+
			"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
	}()
	return ours, nil
}

// AWS allows several minutes for a completion, and S3 need not send anything meanwhile.
func TestACompletionMayTakeFourteenMinutes(t *testing.T) {
	for wait, works := range map[time.Duration]bool{6 * time.Minute: true, 14 * time.Minute: true, 16 * time.Minute: false} {
		synctest.Test(t, func(t *testing.T) {
			tr := NewTransport(TransportOptions{})
			tr.dial.tcp = scriptedStore{wait}
			c, err := New(Options{Endpoint: "http://store.example", Region: "eu-west-1", Bucket: "bucket", PathStyle: true, Transport: tr,
				Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "SECRETEXAMPLE", "TOKENEXAMPLE")})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.CompleteMultipartUpload(t.Context(), Completion{Key: "k", UploadID: "u", Parts: []Part{{Number: 1, ETag: "e"}}})
			var timeout net.Error
			if works && err != nil || !works && (!errors.As(err, &timeout) || !timeout.Timeout()) {
				t.Errorf("after %s: %v", wait, err)
			}
			tr.CloseIdleConnections()
			time.Sleep(wait) // virtual: the store ends as well
		})
	}
}
