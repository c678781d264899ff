package s3client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"time"
)

// The caller's goroutine makes the exchange; net/http keeps two goroutines for each
// connection. Head and body of a small object are sealed together and leave in one
// system call, and the next system call waits for the response.
//
// A large body (above [expectAbove]) needs a second goroutine. It reads the
// 100 Continue that the body waits for, and a refusal that arrives while the body
// is sent.

const (
	// maxHead is the largest head of a response, in bytes.
	maxHead = 256 << 10
	// expectContinueTimeout is how long a body waits for 100 Continue. Some stores
	// never send it.
	expectContinueTimeout = time.Second
	// earlyResponseTimeout is how long to wait for the response of a store that stopped
	// reading the request, and how long a store that has responded may take no byte.
	earlyResponseTimeout = time.Second
	// maxInterim is how many 1xx responses may come before the final one.
	maxInterim = 32
)

// stream is a connection that sends a head and a body in as few system calls as
// possible. body may be nil. When send returns, the kernel has every byte.
type stream interface {
	net.Conn
	send(head []byte, body io.Reader) error
}

// outgoing is one request.
type outgoing struct {
	method          string
	head            []byte // up to and with the empty line
	payload         *Payload
	responseTimeout time.Duration // longest time without progress after the request was written
}

// response is a store's response, read to its end.
type response struct {
	status int
	header http.Header
	text   []byte
}

// conn is one connection, used by one request at a time.
type conn struct {
	sock     *stallGuardConn
	stream   stream
	in       *bufio.Reader
	limit    io.LimitedReader // between in and stream
	idleAt   time.Time        // when it became idle; the transport's field
	reusable bool             // after an exchange: the connection can carry another request
	before   int64            // bytes that had been sent before the exchange
}

func newConn(sock *stallGuardConn, s stream) *conn {
	c := &conn{sock: sock, stream: s, limit: io.LimitedReader{R: s}}
	c.in = bufio.NewReaderSize(&c.limit, 4096)
	return c
}

// stale reports whether the store has closed an idle connection or sent bytes unasked.
func (c *conn) stale() bool { return c.in.Buffered() > 0 || c.sock.raw != nil && readable(c.sock.raw) }

// sent returns how many bytes of the last request were sent, with the frames of
// TLS records.
func (c *conn) sent() int64 { return c.sock.sent.Load() - c.before }

// abort closes the connection without TLS's closing alert.
func (c *conn) abort() { _ = c.sock.Close() }

func (c *conn) close() {
	if c.reusable {
		_ = c.stream.Close() // sends TLS's closing alert
		return
	}
	c.abort()
}

// exchange makes one request. It does not read the payload after it has returned.
func (c *conn) exchange(ctx context.Context, out *outgoing) (*response, error) {
	c.reusable, c.before = false, c.sock.sent.Load()
	unhook := context.AfterFunc(ctx, c.abort)
	defer func() {
		if !unhook() {
			c.reusable = false
		}
	}()
	if out.payload == nil || out.payload.Size == 0 {
		return c.sendThenRead(out, nil)
	}
	r, err := out.payload.Open()
	if err != nil {
		return nil, &bodyError{fmt.Errorf("opening the body: %w", err)}
	}
	defer closeReader(r)
	body := &body{r: r, left: out.payload.Size, size: out.payload.Size}
	if out.payload.Size > expectAbove {
		return c.sendWhileReading(out, body)
	}
	return c.sendThenRead(out, body)
}

// sendThenRead sends the whole request, then reads the response.
func (c *conn) sendThenRead(out *outgoing, b *body) (*response, error) {
	var err error
	if b == nil {
		err = c.stream.send(out.head, nil)
	} else if err = c.stream.send(out.head, b); b.err != nil {
		return nil, &bodyError{fmt.Errorf("reading the body: %w", b.err)}
	}
	if err != nil {
		return c.awaitEarlyResponse(out.method, err)
	}
	return c.awaitResponse(out.method, out.responseTimeout)
}

// awaitResponse reads the final response. It fails after timeout without progress.
func (c *conn) awaitResponse(method string, timeout time.Duration) (*response, error) {
	c.sock.limitSilence(timeout)
	a, err := c.read(method, nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = &noResponseError{timeout}
	}
	return a, err
}

// result is the outcome of the goroutine that reads during sendWhileReading.
type result struct {
	*response
	err error
	// stallTimer closes the connection unless it is stopped in time: a store that has
	// responded and reads no more would block the sender.
	stallTimer *time.Timer
}

// sendWhileReading sends the head, waits for 100 Continue, and sends the body while
// another goroutine reads.
func (c *conn) sendWhileReading(out *outgoing, b *body) (*response, error) {
	c.sock.limitSilence(0)
	if err := c.stream.send(out.head, nil); err != nil {
		return c.awaitEarlyResponse(out.method, err)
	}
	continueReceived, end := make(chan struct{}), make(chan result, 1)
	go func() {
		a, err := c.read(out.method, continueReceived)
		b.stop.Store(true)
		end <- result{a, err, time.AfterFunc(earlyResponseTimeout, c.abort)}
	}()
	timer := time.NewTimer(expectContinueTimeout)
	defer timer.Stop()
	select {
	case <-continueReceived:
	case <-timer.C:
	case h := <-end:
		h.stallTimer.Stop()
		c.reusable = false // the store may still wait for the body
		return earlyResponse(h.response, h.err)
	}
	err := c.stream.send(nil, b)
	switch {
	case b.err != nil:
		c.abort()
	case err == nil:
		c.sock.limitSilence(out.responseTimeout)
	default:
		c.sock.limitSilence(earlyResponseTimeout)
	}
	h := <-end
	h.stallTimer.Stop()
	switch {
	case b.err != nil:
		c.reusable = false
		return nil, &bodyError{fmt.Errorf("reading the body: %w", b.err)}
	case err != nil:
		c.reusable = false
		if h.response == nil && !errors.Is(err, errEarlyResponse) {
			return nil, err
		}
		return earlyResponse(h.response, h.err)
	case errors.Is(h.err, os.ErrDeadlineExceeded):
		return nil, &noResponseError{out.responseTimeout}
	}
	return h.response, h.err
}

// read reads the final response to its end. It closes continueReceived at the first
// 100 Continue.
func (c *conn) read(method string, continueReceived chan<- struct{}) (*response, error) {
	var asked *http.Request // tells net/http that a HEAD has no body
	if method == http.MethodHead {
		asked = &http.Request{Method: method}
	}
	for range maxInterim {
		c.limit.N = maxHead
		resp, err := http.ReadResponse(c.in, asked) //nolint:bodyclose // readBody reads it to its end, or the connection is closed
		if err != nil {
			return nil, err
		}
		if resp.ProtoMajor != 1 {
			return nil, fmt.Errorf("the response is %s, not HTTP/1", resp.Proto)
		}
		if resp.StatusCode == http.StatusContinue && continueReceived != nil {
			close(continueReceived)
			continueReceived = nil
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		c.limit.N = math.MaxInt64
		return c.readBody(resp)
	}
	return nil, errors.New("more than 32 interim responses (1xx) came, and no final one")
}

// readBody reads the body of a response.
func (c *conn) readBody(resp *http.Response) (*response, error) {
	a := &response{status: resp.StatusCode, header: resp.Header}
	whole := true
	if resp.Body != http.NoBody {
		limit := maxResponse
		if a.status >= 300 {
			limit = maxRefusal
		}
		var err error
		a.text, err = io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
		if whole = err == nil && len(a.text) <= limit; !whole {
			a.text = a.text[:min(len(a.text), limit)]
		}
		// A refusal is complete with its head.
		if err != nil && a.status < 300 {
			return nil, fmt.Errorf("reading the response: %w", err)
		}
	}
	c.reusable = whole && !resp.Close && a.status >= 200 && c.in.Buffered() == 0
	return a, nil
}

// awaitEarlyResponse reads the response of a store that stopped reading the request.
// Without one it returns err, the error of sending.
func (c *conn) awaitEarlyResponse(method string, err error) (*response, error) {
	if c.sent() == 0 {
		return nil, err
	}
	a, _ := c.awaitResponse(method, earlyResponseTimeout) // err tells more
	c.reusable = false
	if a != nil {
		return earlyResponse(a, nil)
	}
	return nil, err
}

// earlyResponse checks a response to a request that was not sent to its end. It may
// be a refusal. It is never a success, whatever its status.
func earlyResponse(a *response, err error) (*response, error) {
	if a != nil && a.status < 300 {
		return nil, fmt.Errorf("HTTP %d: %w", a.status, errEarlyResponse)
	}
	return a, err
}
