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
	"syscall"
	"time"
)

// An exchange is made by its caller's own goroutine, without those that net/http
// keeps for each connection: head and body of a small object are sealed together
// and leave in one system call, and the next one waits for the answer.
//
// What is large ([expectAbove]) needs a second goroutine, which listens: for the
// consent that the body waits for, and for a refusal that comes while it is sent.

const (
	// maxHead bounds the head of an answer.
	maxHead = 256 << 10
	// consentPatience is how long a body waits for the store's consent. Not every
	// store gives it.
	consentPatience = time.Second
	// lastWord is how long an answer is waited for from a store that stopped taking
	// the request, or that has answered while it does not take it.
	lastWord = time.Second
	// maxInterim bounds what is said before the answer.
	maxInterim = 32
)

// stream is a connection that sends a head and a body in as few system calls as
// it can. body may be nil. When send returns, everything is with the kernel.
type stream interface {
	net.Conn
	send(head []byte, body io.Reader) error
}

// outgoing is one request.
type outgoing struct {
	method   string
	head     []byte // up to and with the empty line
	payload  *Payload
	patience time.Duration // for the answer, once the request is written
}

// answer is what a store said, read to its end.
type answer struct {
	status int
	header http.Header
	text   []byte
}

// conn is one connection, used by one request at a time.
type conn struct {
	sock   *restless
	stream stream
	in     *bufio.Reader
	limit  io.LimitedReader // between in and stream
	raw    syscall.RawConn  // nil when there is none: then staleness is found by failing
	since  time.Time        // idle since; of the transport
	sound  bool             // after an exchange: another one can follow
	before int64            // bytes that had left before the exchange
}

func newConn(sock *restless, s stream) *conn {
	c := &conn{sock: sock, stream: s, limit: io.LimitedReader{R: s}}
	c.in = bufio.NewReaderSize(&c.limit, 4096)
	if sc, ok := sock.Conn.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn() // without it, a stale connection is found when it fails
	}
	return c
}

// stale says whether the store has ended an idle connection, or says what nobody asked for.
func (c *conn) stale() bool { return c.in.Buffered() > 0 || c.raw != nil && readable(c.raw) }

// sent is how many bytes of the last request have left, records' frames included.
func (c *conn) sent() int64 { return c.sock.left.Load() - c.before }

// cut ends whatever is under way. What is left of it is for nobody.
func (c *conn) cut() { _ = c.sock.Close() }

func (c *conn) close() {
	if c.sound {
		_ = c.stream.Close() // with TLS's goodbye
		return
	}
	c.cut()
}

// exchange makes one request. Afterwards nothing of the payload is read any more.
func (c *conn) exchange(ctx context.Context, out *outgoing) (*answer, error) {
	c.sound, c.before = false, c.sock.left.Load()
	unhook := context.AfterFunc(ctx, c.cut)
	defer func() {
		if !unhook() {
			c.sound = false
		}
	}()
	if out.payload == nil || out.payload.Size == 0 {
		return c.short(out, nil)
	}
	r, err := out.payload.Open()
	if err != nil {
		return nil, &bodyError{fmt.Errorf("opening the body: %w", err)}
	}
	defer closeReader(r)
	body := &body{r: r, left: out.payload.Size, size: out.payload.Size}
	if out.payload.Size > expectAbove {
		return c.long(out, body)
	}
	return c.short(out, body)
}

// short sends all of the request and then reads.
func (c *conn) short(out *outgoing, b *body) (*answer, error) {
	var err error
	if b == nil {
		err = c.stream.send(out.head, nil)
	} else if err = c.stream.send(out.head, b); b.err != nil {
		return nil, &bodyError{fmt.Errorf("reading the body: %w", b.err)}
	}
	if err != nil {
		return c.parting(out.method, err)
	}
	return c.listen(out.method, out.patience)
}

// listen reads an answer, past what is said in between.
func (c *conn) listen(method string, patience time.Duration) (*answer, error) {
	_ = c.stream.SetReadDeadline(time.Now().Add(patience)) // a closed connection fails on reading
	a, err := c.read(method, patience, nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = &silence{patience}
	}
	return a, err
}

// heard is what the listener of a long request heard.
type heard struct {
	*answer
	err error
	// stuck cuts the connection when nobody stops it in time: a store that has
	// answered and takes no more would hold up whoever sends.
	stuck *time.Timer
}

// long sends the head, waits for consent, and sends the body while it listens.
func (c *conn) long(out *outgoing, b *body) (*answer, error) {
	if err := c.stream.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	if err := c.stream.send(out.head, nil); err != nil {
		return c.parting(out.method, err)
	}
	consent, end := make(chan struct{}), make(chan heard, 1)
	go func() {
		a, err := c.read(out.method, 0, consent)
		b.stop.Store(true)
		end <- heard{a, err, time.AfterFunc(lastWord, c.cut)}
	}()
	timer := time.NewTimer(consentPatience)
	defer timer.Stop()
	select {
	case <-consent:
	case <-timer.C:
	case h := <-end:
		h.stuck.Stop()
		c.sound = false // nobody knows whether the store waits for the body
		return premature(h.answer, h.err)
	}
	err := c.stream.send(nil, b)
	switch {
	case b.err != nil:
		c.cut()
	case err == nil:
		_ = c.stream.SetReadDeadline(time.Now().Add(out.patience)) // a closed connection fails on reading
	default:
		_ = c.stream.SetReadDeadline(time.Now().Add(lastWord))
	}
	h := <-end
	h.stuck.Stop()
	switch {
	case b.err != nil:
		c.sound = false
		return nil, &bodyError{fmt.Errorf("reading the body: %w", b.err)}
	case err != nil:
		c.sound = false
		if h.answer == nil && !errors.Is(err, errAnswered) {
			return nil, err
		}
		return premature(h.answer, h.err)
	case errors.Is(h.err, os.ErrDeadlineExceeded):
		return nil, &silence{out.patience}
	}
	return h.answer, h.err
}

// read reads an answer to its end, past what is said in between. consent is
// closed when the store agrees to the body. patience, unless it is 0, begins anew
// once the head is there.
func (c *conn) read(method string, patience time.Duration, consent chan<- struct{}) (*answer, error) {
	var asked *http.Request // what a body goes by
	if method == http.MethodHead {
		asked = &http.Request{Method: method}
	}
	for range maxInterim {
		c.limit.N = maxHead
		resp, err := http.ReadResponse(c.in, asked) //nolint:bodyclose // it is read to its end, or the connection is closed
		if err != nil {
			return nil, err
		}
		if resp.ProtoMajor != 1 {
			return nil, fmt.Errorf("the answer is of %s, not of HTTP/1", resp.Proto)
		}
		if resp.StatusCode == http.StatusContinue && consent != nil {
			close(consent)
			consent = nil
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		c.limit.N = math.MaxInt64
		if patience > 0 {
			_ = c.stream.SetReadDeadline(time.Now().Add(patience))
		}
		return c.rest(resp)
	}
	return nil, errors.New("the store goes on saying that it will answer")
}

// rest reads what follows the head of an answer.
func (c *conn) rest(resp *http.Response) (*answer, error) {
	a := &answer{status: resp.StatusCode, header: resp.Header}
	whole := true
	if resp.Body != http.NoBody {
		limit := maxAnswer
		if a.status >= 300 {
			limit = maxRefusal
		}
		var err error
		a.text, err = io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
		if whole = err == nil && len(a.text) <= limit; !whole {
			a.text = a.text[:min(len(a.text), limit)]
		}
		// Of a refusal the head is enough.
		if err != nil && a.status < 300 {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
	}
	c.sound = whole && !resp.Close && a.status >= 200 && c.in.Buffered() == 0
	return a, nil
}

// parting is for a store that stopped taking the request: it may have said why,
// unless it has seen nothing of it.
func (c *conn) parting(method string, err error) (*answer, error) {
	if c.sent() == 0 {
		return nil, err
	}
	a, _ := c.listen(method, lastWord) // err is the one that counts
	c.sound = false
	if a != nil {
		return premature(a, nil)
	}
	return nil, err
}

// premature is an answer to a request that was not sent to its end. It can be a
// refusal; a success it cannot be, whatever it says.
func premature(a *answer, err error) (*answer, error) {
	if a != nil && a.status < 300 {
		return nil, fmt.Errorf("HTTP %d: %w", a.status, errAnswered)
	}
	return a, err
}
