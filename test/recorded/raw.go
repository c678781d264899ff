package recorded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signing is how a request that the SDK cannot express is signed.
type signing struct {
	service string
	at      time.Time
	date    bool // Date instead of X-Amz-Date
	hash    string
}

// presigned signs in the query for so long from now.
func presigned(life time.Duration) Option { return func(q *request) { q.expires = life } }

// signedAt moves the time of signing.
func signedAt(offset time.Duration) Option {
	return func(q *request) { q.by = func(s *signing) { s.at = s.at.Add(offset) } }
}

// withDate is signed over the header Date, without X-Amz-Date.
func withDate() Option { return func(q *request) { q.by = func(s *signing) { s.date = true } } }

// trailed is a body with Transfer-Encoding: chunked, which has chunks of S3 and a
// checksum behind them: the form in which the AWS CLI sends objects.
func trailed(chunks, trailer string) Option {
	return func(q *request) {
		q.wire, q.payload, q.transfer = &chunks, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", true
		q.headers = append(q.headers, Header{"Content-Encoding", "aws-chunked"}, Header{"X-Amz-Trailer", trailer})
	}
}

// raw is a request without the SDK's operations. operation names it in the table;
// target is host and path, for example "$BUCKET.s3.$REGION.amazonaws.com/key".
func raw(operation, method, target string, opts ...Option) Step {
	service, _, _ := strings.Cut(operation, ":")
	return Step{operation: operation, do: func(ctx context.Context, r *run) error {
		q := newRequest(opts)
		req, body, err := q.build(ctx, r, method, target)
		if err != nil {
			return err
		}
		if err := q.sign(ctx, r, req, service, body); err != nil {
			return err
		}
		for _, h := range q.added {
			req.Header.Set(h.Name, h.Value)
		}
		res, err := r.wire.Do(req)
		if err != nil {
			return err
		}
		if err := res.Body.Close(); err != nil {
			return err
		}
		if res.StatusCode >= http.StatusMultipleChoices {
			return fmt.Errorf("%s: status %d", operation, res.StatusCode)
		}
		return q.kept(r)
	}}
}

func (q *request) build(ctx context.Context, r *run, method, target string) (*http.Request, string, error) {
	target, err := r.expand(ctx, target)
	if err != nil {
		return nil, "", err
	}
	body := ""
	if q.wire != nil {
		if body, err = r.expand(ctx, *q.wire); err != nil {
			return nil, "", err
		}
	}
	parameters, err := r.expandAll(ctx, q.query)
	if err != nil {
		return nil, "", err
	}
	headers, err := r.expandAll(ctx, q.headers)
	if err != nil {
		return nil, "", err
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+target, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	switch {
	case body == "":
		req.Body = http.NoBody
	case q.transfer:
		req.ContentLength, req.GetBody = -1, nil
	}
	values := req.URL.Query()
	for _, p := range parameters {
		values.Add(p.Name, p.Value)
	}
	req.URL.RawQuery = strings.ReplaceAll(values.Encode(), "+", "%20")
	for _, h := range headers {
		req.Header.Set(h.Name, h.Value)
	}
	return req, body, nil
}

// sign signs req in its header or its query, with the SDK's signer.
func (q *request) sign(ctx context.Context, r *run, req *http.Request, service, body string) error {
	if q.unsigned {
		return nil
	}
	provider, err := r.credentials(q.caller)
	if err != nil {
		return err
	}
	keys, err := provider.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("reading the caller's keys: %w", err)
	}
	sum := sha256.Sum256([]byte(body))
	s := &signing{service: service, at: time.Now(), hash: hex.EncodeToString(sum[:])}
	if q.payload != "" {
		s.hash = q.payload
	}
	if q.by != nil {
		q.by(s)
	}
	region := r.target.Region
	if q.region != "" {
		region = r.expandKnown(q.region)
	}
	isS3 := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }
	if q.expires != 0 {
		values := req.URL.Query()
		values.Set("X-Amz-Expires", fmt.Sprint(int(q.expires/time.Second)))
		req.URL.RawQuery = values.Encode()
		signed, headers, err := v4.NewSigner().PresignHTTP(ctx, keys, req, "UNSIGNED-PAYLOAD", service, region, s.at, isS3)
		if err != nil {
			return fmt.Errorf("presigning: %w", err)
		}
		if req.URL, err = url.Parse(signed); err != nil {
			return fmt.Errorf("reading the presigned URL: %w", err)
		}
		for name, value := range headers {
			if name != "Host" {
				req.Header[name] = value
			}
		}
		return nil
	}
	if service == "s3" {
		req.Header.Set("X-Amz-Content-Sha256", s.hash)
	}
	if s.date {
		return signWithDate(req, keys, region, s)
	}
	return v4.NewSigner().SignHTTP(ctx, keys, req, s.hash, service, region, s.at, isS3)
}
