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
	sc := c.memory.Get().(*scratch)
	defer func() {
		sc.wipe()
		c.memory.Put(sc)
	}()
	out := outgoing{method: r.method, payload: r.payload, patience: r.patience}
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
		return c.broken(ctx, r, err)
	}
	doc := parseDocument(a.text)
	if refused := refusal(a, r, c.opts.Bucket, doc); refused != nil {
		c.learn(refused, a.header)
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
	path := c.place.base + "/" + escaped(r.key, true)
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

// broken is a call without an answer. It says where the request went, but not
// with what query.
func (c *Client) broken(ctx context.Context, r *request, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause // what its interruption did to the connection adds nothing
		if !errors.Is(cause, ctx.Err()) {
			err = fmt.Errorf("%w: %w", ctx.Err(), cause)
		}
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	where := c.place.scheme + "://" + c.place.host + c.place.base + "/" + escaped(r.key, true)
	return &url.Error{Op: r.method[:1] + strings.ToLower(r.method[1:]), URL: where, Err: err}
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
