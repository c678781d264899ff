package client

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// chunkSize is the largest chunk the API takes, and the fastest.
const chunkSize = 256 << 10

// State is how far an object has come.
type State string

const (
	// Stored says that S3 confirmed the object.
	Stored State = "stored"
	// Spooled says that the object is safe on the daemon's disk and on its way; see Client.Wait.
	Spooled State = "spooled"
)

// Result describes an object that the daemon answers for. When it is stored, the
// daemon compared what is said here with S3's answer; when it is spooled, only
// UploadID, Destination and State are set.
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
	// Existed says that an earlier try of this upload had stored the object, and
	// its answer was lost. S3 then tells no version, ETag, checksum or key.
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

// WithIdempotencyKey names this object for as long as it may be sent again: 1 to
// 128 characters of printable ASCII. Uploads of one user to one destination with
// the same key are the same upload. Without it every call makes a key of its own,
// which its own retries share; give one to try again in a later call, or after
// the program was restarted.
func WithIdempotencyKey(key string) UploadOption {
	return func(o *uploadOptions) { o.header.IdempotencyKey = key }
}

// WithRetry says how long an upload is tried again after its first failure, when
// the daemon does not answer or asks to come again. 0: not at all. Default: 2 minutes.
func WithRetry(most time.Duration) UploadOption {
	return func(o *uploadOptions) { o.retry = most }
}

// WithRetryNotice calls fn before every further try with what ended the last one
// and the pause that follows, from the goroutine that called Upload.
func WithRetryNotice(fn func(err error, pause time.Duration)) UploadOption {
	return func(o *uploadOptions) { o.onRetry = fn }
}

// WithReplayBuffer keeps up to n bytes of a body that cannot seek, so that it can
// be sent again. A longer body is not tried again once more was read. Default: 1 MiB.
func WithReplayBuffer(n int) UploadOption {
	return func(o *uploadOptions) { o.replay = n }
}

// WithContentEncoding sets the content encoding stored with the object, such as "gzip".
func WithContentEncoding(e string) UploadOption {
	return func(o *uploadOptions) { o.header.ContentEncoding = e }
}

// WithStream sends the bytes of a file instead of handing its descriptor over, so
// that progress is told as they are sent.
func WithStream() UploadOption {
	return func(o *uploadOptions) { o.stream = true }
}

// WithSize states the length in bytes when it is known. A body that differs is an error.
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

// WithProgress calls fn with the number of bytes sent so far, from the goroutine
// that called Upload. It falls back to 0 when the upload is tried again. A file
// whose descriptor was handed over is told of once, when it is done.
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

// Upload delivers what r holds, to its end, as one object. The length need not be
// known. An error of r ends the upload: there is then no object. Other errors are
// *Error, or wrap ctx's; MayBeStored tells whether there may be an object.
//
// When the daemon does not answer or asks to come again, the upload is sent again
// under the same idempotency key: see WithRetry. A body that is an io.Seeker is
// read again from where it stood; of any other see WithReplayBuffer.
func (c *Client) Upload(ctx context.Context, destination, name string, r io.Reader, opts ...UploadOption) (*Result, error) {
	o := optionsOf(destination, name, opts)
	body := newReplay(r, o.replay)
	return c.upload(ctx, o, body.again, func() (*brokerdv1.UploadResponse, bool, error) {
		if err := body.rewind(); err != nil {
			return nil, false, &readError{err}
		}
		return c.stream(ctx, o, body)
	})
}

// UploadFile delivers a file. Of a regular file it delivers the length it has
// when the call begins: a log that grows meanwhile is delivered up to there, one
// that shrinks is an error. Anything else, such as a named pipe, is read to its end.
//
// On Linux the open file is handed to the daemon, which reads it itself; where
// the daemon does not take it, its bytes are sent as Upload does.
func (c *Client) UploadFile(ctx context.Context, destination, name, path string, opts ...UploadOption) (*Result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("client: %s is a directory", path)
	}
	if !info.Mode().IsRegular() {
		return c.Upload(ctx, destination, name, f, opts...)
	}
	o := optionsOf(destination, name, append([]UploadOption{WithSize(info.Size())}, opts...))
	return c.upload(ctx, o, func() bool { return true }, func() (*brokerdv1.UploadResponse, bool, error) {
		if canHandOver && !o.stream && !c.streamsOnly.Load() {
			resp, complete, err := c.handOver(ctx, f, o.header)
			if !errors.Is(err, errNotTaken) {
				if err == nil && o.progress != nil {
					o.progress(int64(o.header.GetSize()))
				}
				return resp, complete, err
			}
		}
		return c.stream(ctx, o, io.NewSectionReader(f, 0, info.Size()))
	})
}

// upload tries once or more. A try says whether all was sent.
func (c *Client) upload(ctx context.Context, o *uploadOptions, again func() bool, try func() (*brokerdv1.UploadResponse, bool, error)) (*Result, error) {
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
	case errors.As(err, &e) || errors.As(err, &reading):
		return nil, err
	}
	return nil, &givenUp{err, mayBe}
}

// stream sends the bytes of r once. complete says whether the trailer was sent.
func (c *Client) stream(ctx context.Context, o *uploadOptions, r io.Reader) (resp *brokerdv1.UploadResponse, complete bool, err error) {
	// Cancelling the stream before a trailer was sent is how an upload is given up.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Broker().Upload(ctx, grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return nil, false, c.FromError(err)
	}
	err = send(stream, o, r, &c.chunks)
	var reading *readError
	switch {
	case errors.As(err, &reading):
		return nil, false, reading
	case err != nil && !errors.Is(err, io.EOF):
		return nil, false, c.FromError(err)
	}
	// io.EOF from Send: the daemon has answered already; its answer says why.
	complete = err == nil
	resp, err = stream.CloseAndRecv()
	return resp, complete, c.FromError(err)
}

type readError struct{ err error }

func (e *readError) Error() string { return "reading what is to be uploaded: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

func send(stream brokerdv1.BrokerService_UploadClient, o *uploadOptions, r io.Reader, chunks *chunkPool) error {
	if err := stream.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Header{Header: o.header}}); err != nil {
		return err
	}
	var (
		table = crc32.MakeTable(crc32.Castagnoli)
		crc   uint32
		sent  int64
	)
	for rerr := error(nil); rerr == nil; {
		var n int
		buf := chunks.Get(chunkSize)
		n, rerr = fill(r, (*buf)[chunkRoom:])
		if n == 0 || rerr != nil && rerr != io.EOF {
			chunks.Put(buf)
			if rerr != nil && rerr != io.EOF {
				return &readError{rerr}
			}
			continue
		}
		crc = crc32.Update(crc, table, (*buf)[chunkRoom:chunkRoom+n])
		sent += int64(n)
		if err := stream.SendMsg(chunks.seal(buf, n)); err != nil {
			return err
		}
		if o.progress != nil {
			o.progress(sent)
		}
	}
	return stream.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Trailer{
		Trailer: &brokerdv1.UploadTrailer{Length: uint64(sent), Crc32C: crc},
	}})
}

// fill reads until buf is full or r has ended. Unlike io.ReadFull it keeps a
// reader's own io.ErrUnexpectedEOF apart from a clean end: the one is an object
// cut short, the other an object.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

func resultOf(r *brokerdv1.UploadResponse) *Result {
	o := r.GetObject()
	state := Spooled // the least that an answer without an error says
	if r.GetState() == brokerdv1.UploadState_UPLOAD_STATE_STORED {
		state = Stored
	}
	return &Result{
		UploadID: r.GetUploadId(), State: state, Bucket: o.GetBucket(), Key: o.GetKey(), VersionID: o.GetVersionId(), ETag: o.GetEtag(),
		Size: int64(o.GetSize()), ChecksumCRC32C: o.GetChecksumCrc32C(), ServerSideEncryption: o.GetServerSideEncryption(),
		KMSKeyARN: o.GetKmsKeyArn(), Parts: int(o.GetParts()), Attempts: int(o.GetAttempts()), Stored: o.GetStoredTime().AsTime(), Existed: o.GetExisted(),
	}
}
