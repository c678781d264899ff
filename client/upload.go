package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// chunkSize is the largest chunk the API takes, and the fastest.
const chunkSize = 256 << 10

// State is the progress of an object.
type State string

const (
	// Stored means that S3 confirmed the object.
	Stored State = "stored"
	// Spooled means that the object is safe on the daemon's disk, which delivers it later; see Client.Wait.
	Spooled State = "spooled"
)

// Result describes an object that the daemon has accepted. When it is stored, the
// daemon compared these values with S3's answer. When it is spooled, only UploadID,
// Destination and State are set.
type Result struct {
	UploadID             string
	Destination          string
	State                State
	Bucket               string
	Key                  string
	VersionID            string
	ETag                 string
	Size                 int64
	ChecksumCRC32C       string // base64 of 4 big-endian bytes
	ServerSideEncryption string
	KMSKeyARN            string
	Parts                int
	Attempts             int
	Stored               time.Time
	// Existed reports that an earlier attempt of this upload had stored the object, and
	// that S3's answer was lost. VersionID, ETag, ChecksumCRC32C and KMSKeyARN are then empty.
	Existed bool
}

type uploadOptions struct {
	header   *brokerdv1.UploadHeader
	progress func(sent int64)
	retry    time.Duration
	onRetry  func(err error, pause time.Duration)
	replay   int
	stream   bool
}

// UploadOption changes one upload.
type UploadOption func(*uploadOptions)

// WithIdempotencyKey sets the idempotency key: 1 to 128 characters of printable ASCII.
// Uploads of one user to one destination with the same key are the same upload. Without
// it each call makes a key, which its retries share. Set a key to repeat an upload in a
// later call, or after a restart of the program.
func WithIdempotencyKey(key string) UploadOption {
	return func(o *uploadOptions) { o.header.IdempotencyKey = key }
}

// WithRetry limits how long an upload is retried after its first failure, when the daemon
// does not answer or asks to come again. 0: no retries. Default: 2 minutes.
func WithRetry(most time.Duration) UploadOption {
	return func(o *uploadOptions) { o.retry = most }
}

// WithRetryNotice calls fn before each retry, with the error of the last attempt and the
// pause that follows, from the goroutine that called Upload.
func WithRetryNotice(fn func(err error, pause time.Duration)) UploadOption {
	return func(o *uploadOptions) { o.onRetry = fn }
}

// WithReplayBuffer keeps up to n bytes of a body that cannot seek, so that it can be
// sent again. After more than n bytes were read there are no retries. Default: 1 MiB.
func WithReplayBuffer(n int) UploadOption {
	return func(o *uploadOptions) { o.replay = n }
}

// WithContentEncoding sets the content encoding stored with the object, such as "gzip".
func WithContentEncoding(e string) UploadOption {
	return func(o *uploadOptions) { o.header.ContentEncoding = e }
}

// WithStream sends the bytes of a file instead of handing its descriptor over, so that
// WithProgress reports each chunk.
func WithStream() UploadOption {
	return func(o *uploadOptions) { o.stream = true }
}

// WithSize announces the length in bytes. A body of another length is an error, and
// nothing is stored.
func WithSize(n int64) UploadOption {
	return func(o *uploadOptions) {
		if n >= 0 {
			size := uint64(n)
			o.header.Size = &size
		}
	}
}

// WithContentType sets the media type stored with the object.
func WithContentType(t string) UploadOption {
	return func(o *uploadOptions) { o.header.ContentType = t }
}

// WithMetadata stores user metadata with the object.
func WithMetadata(m map[string]string) UploadOption {
	return func(o *uploadOptions) { o.header.Metadata = m }
}

// WithProgress calls fn with the number of bytes sent so far, from the goroutine that
// called Upload. The number returns to 0 at a retry. For a file whose descriptor was
// handed over, fn is called once, at the end.
func WithProgress(fn func(sent int64)) UploadOption {
	return func(o *uploadOptions) { o.progress = fn }
}

func optionsOf(destination, name string, opts []UploadOption) *uploadOptions {
	o := &uploadOptions{header: &brokerdv1.UploadHeader{Destination: destination, Name: name}, retry: defaultRetry, replay: defaultReplay}
	for _, opt := range opts {
		opt(o)
	}
	if o.header.IdempotencyKey == "" {
		o.header.IdempotencyKey = newKey()
	}
	return o
}

// validate refuses texts that protobuf cannot carry.
func (o *uploadOptions) validate() error {
	h := o.header
	if !utf8.ValidString(h.GetName()) {
		return &Error{Code: codes.InvalidArgument, Reason: string(reason.InvalidName),
			Message: fmt.Sprintf(
				"the object name %q is not UTF-8: choose another name for the object (brokerctl: --name, or --escape-names)",
				h.GetName(),
			)}
	}
	texts := []string{h.GetDestination(), h.GetContentType(), h.GetContentEncoding(), h.GetIdempotencyKey()}
	for k, v := range h.GetMetadata() {
		texts = append(texts, k, v)
	}
	for _, t := range texts {
		if !utf8.ValidString(t) {
			return &Error{Code: codes.InvalidArgument, Reason: string(reason.InvalidHeader), Message: fmt.Sprintf("%q is not UTF-8", t)}
		}
	}
	return nil
}

// Upload delivers the bytes of r, to its end, as one object. The length need not be
// known. An error of r ends the upload, and there is no object. Other errors are *Error,
// or wrap ctx's; MayBeStored reports whether there may be an object.
//
// When the daemon does not answer, or asks to come again, the upload is sent again under
// the same idempotency key: see WithRetry. A body that is an io.Seeker is read again from
// its position at the call; for any other see WithReplayBuffer.
//
// A reader may be slow or silent: Upload shows the daemon that the sender is alive. When
// ctx ends, Upload returns also during a Read of r. That Read may then still be in
// progress, in a goroutine that ends with it.
func (c *Client) Upload(ctx context.Context, destination, name string, r io.Reader, opts ...UploadOption) (*Result, error) {
	o := optionsOf(destination, name, opts)
	if err := o.validate(); err != nil {
		return nil, err
	}
	b := newBody(r, o.replay)
	defer b.close()
	var last error
	return c.upload(ctx, o, b.again, func() (resp *brokerdv1.UploadResponse, complete bool, err error) {
		ok, err := b.rewind(ctx)
		switch {
		case err != nil:
			return nil, false, err
		case !ok:
			return nil, false, &finalError{last}
		}
		resp, complete, err = c.stream(ctx, o, b)
		last = err
		return resp, complete, err
	})
}

// finalError is an error that is not worth a retry: the body cannot be read again.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }

// upload makes one attempt or more. An attempt reports whether all bytes were sent.
func (c *Client) upload(
	ctx context.Context,
	o *uploadOptions,
	again func() bool,
	try func() (*brokerdv1.UploadResponse, bool, error),
) (*Result, error) {
	var resp *brokerdv1.UploadResponse
	mayBe := false
	before := func(err error, pause time.Duration) {
		if o.progress != nil {
			o.progress(0)
		}
		if o.onRetry != nil {
			o.onRetry(err, pause)
		}
	}
	err := retrying(ctx, o.retry, again, before, func() error {
		var complete bool
		var err error
		resp, complete, err = try()
		var e *Error
		if errors.As(err, &e) {
			mayBe = mayBe || complete && reason.Reason(e.Reason).Ambiguous()
			e.MayBeStored = mayBe
		} else if err != nil && complete {
			mayBe = true
		}
		return err
	})
	var e *Error
	var reading *readError
	switch {
	case err == nil:
		res := resultOf(resp)
		res.Destination = o.header.GetDestination()
		return res, nil
	case errors.As(err, &e):
		return nil, e
	case errors.As(err, &reading):
		return nil, err
	}
	return nil, &givenUp{err, mayBe}
}

func resultOf(r *brokerdv1.UploadResponse) *Result {
	o := r.GetObject()
	state := Spooled // the weaker of the two states that an answer can have
	if r.GetState() == brokerdv1.UploadState_UPLOAD_STATE_STORED {
		state = Stored
	}
	return &Result{
		UploadID: r.GetUploadId(), State: state, Bucket: o.GetBucket(), Key: o.GetKey(), VersionID: o.GetVersionId(), ETag: o.GetEtag(),
		Size: int64(o.GetSize()), ChecksumCRC32C: o.GetChecksumCrc32C(), ServerSideEncryption: o.GetServerSideEncryption(),
		KMSKeyARN: o.GetKmsKeyArn(), Parts: int(o.GetParts()), Attempts: int(o.GetAttempts()), Stored: o.GetStoredTime().AsTime(),
		Existed: o.GetExisted(),
	}
}
