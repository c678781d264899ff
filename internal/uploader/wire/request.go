package wire

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"time"
)

// How long a request may stay unanswered once it is written. Completing an
// upload of many parts can take minutes.
const (
	patience         = time.Minute
	completePatience = 15 * time.Minute
)

// expectAbove is the size from which a body waits for the store's consent:
// nobody sends 8 MiB into a refusal. The SDK has the same threshold.
const expectAbove = 2 << 20

// request is one call before it is signed.
type request struct {
	operation string // of S3's API
	method    string
	key       string
	query     string // in its canonical form
	hash      string // of the body, for x-amz-content-sha256
	fields    []field
	payload   *Payload
	patience  time.Duration
}

// do makes the request and hands a good answer to read, with its body parsed
// when there was one. Whatever it returns, the payload is not read any more.
func (c *Client) do(ctx context.Context, r *request, read func(http.Header, *document) error) error {
	if r.key == "" {
		return fmt.Errorf("%s: the key of the object is empty", r.operation)
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	cl := &call{payload: r.payload, patience: r.patience, giveUp: giveUp}
	defer cl.end()
	if r.payload == nil {
		// There is no body whose end would tell that the request is out.
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cl.await() }})
	}
	req, err := c.prepare(ctx, r)
	if err != nil {
		return fmt.Errorf("%s: %w", r.operation, err)
	}
	if r.payload != nil && r.payload.Size > 0 {
		if req.Body, err = cl.open(); err != nil {
			return fmt.Errorf("%s: opening the body: %w", r.operation, err)
		}
		req.GetBody = cl.open
	}
	resp, err := c.opts.Transport.RoundTrip(req)
	if err != nil {
		if bad := cl.failure(); bad != nil {
			return fmt.Errorf("%s: reading the body: %w", r.operation, bad)
		}
		return c.broken(ctx, req, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read as far as it matters
	cl.await()                               // again, for the rest of the answer
	doc, err := readDocument(resp, r)
	if err != nil && resp.StatusCode < 300 {
		return c.broken(ctx, req, err)
	}
	if refused := refusal(resp, r, c.opts.Bucket, doc); refused != nil {
		c.learn(refused, resp.Header)
		return refused
	}
	return read(resp.Header, doc)
}

// prepare builds and signs the request, all but its body.
func (c *Client) prepare(ctx context.Context, r *request) (*http.Request, error) {
	credentials, err := c.opts.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("retrieving credentials: %w", err)
	}
	stamp := c.sign.now().Format("20060102T150405Z")
	length := int64(0)
	if r.payload != nil {
		length = r.payload.Size
	}
	r.say(hHost, c.place.host)
	r.say(hDate, stamp)
	r.say(hHash, r.hash)
	r.say(hToken, credentials.SessionToken)
	r.say(hOwner, c.opts.Owner)
	if length > 0 {
		r.say(hContentLength, strconv.FormatInt(length, 10))
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	sortFields(r.fields)

	path := c.place.base + "/" + r.key
	raw := c.place.base + "/" + escaped(r.key, true)
	if c.place.base != "" {
		if path, err = url.PathUnescape(c.place.base); err != nil {
			return nil, err
		}
		path += "/" + r.key
	}
	sc := c.memory.Get().(*scratch)
	authorization := c.sign.sign(sc, credentials, stamp, r.method, raw, r.query, r.hash, r.fields)
	sc.wipe()
	c.memory.Put(sc)

	// One array backs the values of all headers.
	values := make([]string, 0, len(r.fields)+3)
	headers := make(http.Header, len(r.fields)+3)
	set := func(name, value string) {
		values = append(values, value)
		headers[name] = values[len(values)-1:]
	}
	for i := range r.fields {
		if l := r.fields[i].lower; l != hHost.lower && l != hContentLength.lower {
			set(r.fields[i].name, r.fields[i].value)
		}
	}
	set("Authorization", authorization)
	if c.opts.UserAgent != "" {
		set("User-Agent", c.opts.UserAgent)
	}
	if length > expectAbove {
		set("Expect", "100-continue")
	}
	// The protocol's version is what makes net/http wait for the 100.
	req := &http.Request{
		Method: r.method, Host: c.place.host, Header: headers, ContentLength: length,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		URL: &url.URL{Scheme: c.place.scheme, Host: c.place.host, Path: path, RawPath: raw, RawQuery: r.query},
	}
	return req.WithContext(ctx), nil
}

// broken is a call without an answer. It says where the request went, but not
// with what query.
func (c *Client) broken(ctx context.Context, req *http.Request, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause // what net/http says of its own interruption adds nothing
		var silent *silence
		if !errors.As(cause, &silent) && !errors.Is(cause, ctx.Err()) {
			err = fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	where := *req.URL
	where.RawQuery = ""
	return &url.Error{Op: req.Method[:1] + lowered(req.Method[1:]), URL: where.String(), Err: err}
}

func lowered(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] |= 0x20
	}
	return string(b)
}

// silence is a store that took a request and did not answer.
type silence struct{ after time.Duration }

// Error says how long it was waited for.
func (s *silence) Error() string { return fmt.Sprintf("no answer within %s", s.after) }

// Timeout is true, as it is of net.Error.
func (s *silence) Timeout() bool { return true }

// Temporary makes it a net.Error.
func (s *silence) Temporary() bool { return true }

func (c *Client) learn(refused *ResponseError, h http.Header) {
	switch refused.Code {
	case "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture":
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			c.sign.learn(date)
		}
	}
}

// base64CRC is a checksum as S3 writes it: base64 of the big-endian bytes.
func base64CRC(crc uint32) string {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], crc)
	return base64.StdEncoding.EncodeToString(raw[:])
}
