package s3client

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The longest waits without progress for a response, after the request was sent. A
// completion can take minutes: S3 then sends blanks, but not always.
const (
	responseTimeout = time.Minute
	completeTimeout = 15 * time.Minute
)

// expectAbove is the size in bytes above which a body waits for 100 Continue, so that
// a refusal costs no transfer. The SDK has the same threshold.
const expectAbove = 2 << 20

// request is one call before it is signed.
type request struct {
	operation       string // of S3's API
	method          string
	key             string
	query           string // in its canonical form
	hash            string // of the body, for x-amz-content-sha256
	fields          []field
	payload         *Payload
	responseTimeout time.Duration
}

// do makes the request and passes a successful response to read, with its parsed body.
// It does not read the payload after it has returned.
func (c *Client) do(ctx context.Context, r *request, read func(http.Header, *document) error) error {
	if r.key == "" {
		return fmt.Errorf("%s: the key of the object is empty", r.operation)
	}
	sc := c.memory.Get().(*scratch)
	defer func() {
		sc.wipe()
		c.memory.Put(sc)
	}()
	out := outgoing{method: r.method, payload: r.payload, responseTimeout: r.responseTimeout}
	var err error
	if out.head, err = c.prepare(ctx, r, sc); err != nil {
		return fmt.Errorf("%s: %w", r.operation, err)
	}
	a, err := c.opts.Transport.exchange(ctx, c.route, &out)
	if err != nil {
		var bad *bodyError
		if errors.As(err, &bad) && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", r.operation, bad)
		}
		return c.transportError(ctx, r, err)
	}
	doc := parseDocument(a.text)
	if refused := refusal(a, r, c.opts.Bucket, doc); refused != nil {
		refused.sentTo = c.opts.Region
		c.adjustClock(refused, a.header)
		return refused
	}
	return read(a.header, doc)
}

// prepare signs the request and writes its head.
func (c *Client) prepare(ctx context.Context, r *request, sc *scratch) ([]byte, error) {
	credentials, err := c.opts.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, fmt.Errorf("retrieving credentials: %w", err)
	}
	stamp := c.sign.now().Format("20060102T150405Z")
	length := int64(0)
	if r.payload != nil {
		length = r.payload.Size
	}
	r.setHeader(hHost, c.endpoint.host)
	r.setHeader(hDate, stamp)
	r.setHeader(hHash, r.hash)
	r.setHeader(hToken, credentials.SessionToken)
	r.setHeader(hOwner, c.opts.Owner)
	if length > 0 {
		r.setHeader(hContentLength, strconv.FormatInt(length, 10))
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	sortFields(r.fields)
	path := c.endpoint.base + "/" + escaped(r.key, true)
	b := append(append(sc.head[:0], r.method...), ' ')
	b = append(append(b, c.target...), path...)
	if r.query != "" {
		b = append(append(b, '?'), r.query...)
	}
	b = append(b, " HTTP/1.1\r\n"...)
	for i := range r.fields {
		b = appendField(b, r.fields[i].name, r.fields[i].value)
	}
	b = append(b, "Authorization: "...)
	b = c.sign.sign(sc, b, credentials, stamp, r.method, path, r.query, r.hash, r.fields)
	b = append(b, "\r\n"...)
	if c.opts.UserAgent != "" {
		b = appendField(b, "User-Agent", c.opts.UserAgent)
	}
	if c.proxyAuthorization != "" {
		b = appendField(b, "Proxy-Authorization", c.proxyAuthorization)
	}
	switch {
	case length > expectAbove:
		b = appendField(b, "Expect", "100-continue")
	case length == 0 && (r.method == http.MethodPut || r.method == http.MethodPost):
		b = appendField(b, hContentLength.name, "0")
	}
	b = append(b, "\r\n"...)
	sc.head = b
	return b, nil
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), "\r\n"...)
}

// transportError returns the error of a call without a response. It names the URL
// without the query.
func (c *Client) transportError(ctx context.Context, r *request, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause // the broken connection is a consequence of it
		if !errors.Is(cause, ctx.Err()) {
			err = fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	where := c.endpoint.scheme + "://" + c.endpoint.host + c.endpoint.base + "/" + escaped(r.key, true)
	return &url.Error{Op: r.method[:1] + strings.ToLower(r.method[1:]), URL: where, Err: err}
}

// noResponseError is returned when a store received a request and did not respond.
type noResponseError struct{ after time.Duration }

// Error returns the time that passed.
func (e *noResponseError) Error() string {
	return fmt.Sprintf("no response, and no progress for %s", e.after)
}

// Timeout implements net.Error.
func (e *noResponseError) Timeout() bool { return true }

// Temporary implements net.Error.
func (e *noResponseError) Temporary() bool { return true }

// adjustClock takes over the store's time after it refused the time of a signature.
func (c *Client) adjustClock(refused *ResponseError, h http.Header) {
	switch refused.Code {
	case "RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture":
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			c.sign.setSkew(date)
		}
	}
}

// base64CRC encodes a checksum as S3 does: base64 of its big-endian bytes.
func base64CRC(crc uint32) string {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], crc)
	return base64.StdEncoding.EncodeToString(raw[:])
}
