package recorded

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/middleware"
)

// Step is one request.
type Step struct {
	operation string
	do        func(context.Context, *run) error
}

// request is how a step differs from a plain call of account A.
type request struct {
	caller   string // "A" where it is empty
	unsigned bool
	region   string
	headers  []Header // signed
	added    []Header // after signing
	query    []Header
	object   *string // the input's Body
	payload  string  // x-amz-content-sha256 of a request by hand; "": the hash of its body
	transfer bool    // by hand, with Transfer-Encoding: chunked
	chunked  bool    // the body has a trailing checksum
	wire     *string // replaces the serialized body
	keep     map[string]string
	become   [2]string     // the name of a caller, and the path of its keys in the answer
	decode   bool          // CiphertextBlob is $CIPHERTEXT
	expires  time.Duration // presigned for so long; 0: signed in the header
	by       func(*signing)
}

// Option changes a request.
type Option func(*request)

func as(caller string) Option      { return func(q *request) { q.caller = caller } }
func anonymous() Option            { return func(q *request) { q.unsigned = true } }
func signedFor(name string) Option { return func(q *request) { q.region = name } }
func object(text string) Option    { return func(q *request) { q.object = &text } }
func wireBody(text string) Option  { return func(q *request) { q.wire = &text } }
func with(name, value string) Option {
	return func(q *request) { q.headers = append(q.headers, Header{name, value}) }
}
func added(name, value string) Option {
	return func(q *request) { q.added = append(q.added, Header{name, value}) }
}
func query(name, value string) Option {
	return func(q *request) { q.query = append(q.query, Header{name, value}) }
}

// keep gives a field or header of the answer the name of a variable, for later steps.
func keep(variable, path string) Option {
	return func(q *request) {
		if q.keep == nil {
			q.keep = map[string]string{}
		}
		q.keep[variable] = path
	}
}

// chunked sends the object in chunks with a checksum behind them, as clients do by default.
func chunked() Option { return func(q *request) { q.chunked = true } }

func newRequest(opts []Option) *request {
	q := &request{caller: "A"}
	for _, o := range opts {
		o(q)
	}
	return q
}

// becomes makes a caller of the keys in the answer.
func becomes(name, path string) Option {
	return func(q *request) { q.become = [2]string{name, path} }
}

// kept sets the variables and the caller that the answer fills.
func (q *request) kept(r *run) error {
	for name, path := range q.keep {
		a := r.wire.answer()
		if a == nil {
			return errNotSent
		}
		value, ok := a.Fields[path]
		if !ok {
			value, ok = a.header(path, false)
		}
		if !ok {
			return fmt.Errorf("the answer has no %s for $%s", path, name)
		}
		r.vars[name] = value
	}
	if name, path := q.become[0], q.become[1]; name != "" {
		fields := r.wire.answer().Fields
		r.caller(name, fields[path+".AccessKeyId"], fields[path+".SecretAccessKey"], fields[path+".SessionToken"])
	}
	return nil
}

// call is an operation of an SDK client.
type call[C, I, O, P any] func(C, context.Context, *I, ...func(*P)) (*O, error)

// s3Do calls an operation of S3. A Bucket that the input leaves out is $BUCKET.
func s3Do[I, O any](op call[*s3.Client, I, O, s3.Options], in I, opts ...Option) Step {
	return do("s3", op, s3.NewFromConfig, func(o *s3.Options) *[]func(*middleware.Stack) error { return &o.APIOptions }, in, opts)
}

func kmsDo[I, O any](op call[*kms.Client, I, O, kms.Options], in I, opts ...Option) Step {
	return do("kms", op, kms.NewFromConfig, func(o *kms.Options) *[]func(*middleware.Stack) error { return &o.APIOptions }, in, opts)
}

func iamDo[I, O any](op call[*iam.Client, I, O, iam.Options], in I, opts ...Option) Step {
	return do("iam", op, iam.NewFromConfig, func(o *iam.Options) *[]func(*middleware.Stack) error { return &o.APIOptions }, in, opts)
}

func stsDo[I, O any](op call[*sts.Client, I, O, sts.Options], in I, opts ...Option) Step {
	return do("sts", op, sts.NewFromConfig, func(o *sts.Options) *[]func(*middleware.Stack) error { return &o.APIOptions }, in, opts)
}

func do[C, I, O, P any](
	service string, op call[C, I, O, P], client func(aws.Config, ...func(*P)) C, stack func(*P) *[]func(*middleware.Stack) error,
	in I, opts []Option,
) Step {
	operation := strings.TrimSuffix(reflect.TypeFor[I]().Name(), "Input")
	return Step{operation: service + ":" + operation, do: func(ctx context.Context, r *run) error {
		q := newRequest(opts)
		config, err := q.config(r)
		if err != nil {
			return err
		}
		change, err := q.middleware(ctx, r)
		if err != nil {
			return err
		}
		input, err := q.input(ctx, r, reflect.ValueOf(in))
		if err != nil {
			return err
		}
		ready, ok := input.Interface().(I)
		if !ok {
			return fmt.Errorf("the expanded input is a %s", input.Type())
		}
		if _, err := op(client(config), ctx, &ready, func(o *P) { *stack(o) = append(*stack(o), change) }); err != nil {
			return err
		}
		return q.kept(r)
	}}
}

func (q *request) config(r *run) (aws.Config, error) {
	region := r.target.Region
	if q.region != "" {
		region = r.expandKnown(q.region)
	}
	if q.unsigned {
		return r.target.config(r.wire, aws.AnonymousCredentials{}, region), nil
	}
	credentials, err := r.credentials(q.caller)
	config := r.target.config(r.wire, credentials, region)
	if q.chunked {
		config.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	}
	return config, err
}

// input expands the input and fills in bucket and body.
func (q *request) input(ctx context.Context, r *run, in reflect.Value) (reflect.Value, error) {
	out, err := r.expandInput(ctx, in)
	if err != nil {
		return in, err
	}
	if f := out.FieldByName("Bucket"); f.IsValid() && f.Kind() == reflect.Pointer && f.IsNil() {
		name, err := r.value(ctx, "BUCKET")
		if err != nil {
			return in, err
		}
		f.Set(reflect.ValueOf(&name))
	}
	if q.decode {
		blob, err := base64.StdEncoding.DecodeString(r.vars["CIPHERTEXT"])
		if err != nil {
			return in, fmt.Errorf("reading $CIPHERTEXT: %w", err)
		}
		out.FieldByName("CiphertextBlob").SetBytes(blob)
	}
	if q.object != nil {
		var body io.Reader = strings.NewReader(*q.object)
		if q.chunked {
			body = stream{body, len(*q.object)}
		}
		out.FieldByName("Body").Set(reflect.ValueOf(body))
	}
	return out, nil
}

// stream cannot seek, so that the SDK sends its checksum behind the body.
type stream struct {
	io.Reader
	length int
}

// Len is the length that the SDK declares.
func (s stream) Len() int { return s.length }
