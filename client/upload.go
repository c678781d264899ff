package client

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// chunkSize is the largest chunk the API takes, and the fastest.
const chunkSize = 256 << 10

// Result describes a stored object. The daemon compared it with S3's answer.
type Result struct {
	UploadID             string
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
}

type uploadOptions struct {
	header   *brokerdv1.UploadHeader
	progress func(sent int64)
}

// UploadOption changes one upload.
type UploadOption func(*uploadOptions)

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

// WithProgress calls fn with the number of bytes sent so far, from the goroutine that called Upload.
func WithProgress(fn func(sent int64)) UploadOption {
	return func(o *uploadOptions) { o.progress = fn }
}

// Upload delivers what r holds, to its end, as one object. The length need not
// be known. An error of r ends the upload: there is then no object. Other errors
// are *Error, or ctx's.
func (c *Client) Upload(ctx context.Context, destination, name string, r io.Reader, opts ...UploadOption) (*Result, error) {
	o := uploadOptions{header: &brokerdv1.UploadHeader{Destination: destination, Name: name}}
	for _, opt := range opts {
		opt(&o)
	}
	// Cancelling the stream before a trailer was sent is how an upload is given up.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Broker().Upload(ctx)
	if err != nil {
		return nil, c.FromError(err)
	}
	if err := send(stream, &o, r); err != nil {
		var reading *readError
		if errors.As(err, &reading) {
			return nil, reading
		}
		// io.EOF from Send: the daemon has answered already; its answer says why.
		if !errors.Is(err, io.EOF) {
			return nil, c.FromError(err)
		}
	}
	resp, err := stream.CloseAndRecv()
	if err != nil {
		return nil, c.FromError(err)
	}
	return resultOf(resp), nil
}

// UploadFile delivers a file. Of a regular file it delivers the length it has
// when the call begins: a log that grows meanwhile is delivered up to there, one
// that shrinks is an error. Anything else, such as a named pipe, is read to its end.
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
	opts = append([]UploadOption{WithSize(info.Size())}, opts...)
	return c.Upload(ctx, destination, name, io.LimitReader(f, info.Size()), opts...)
}

type readError struct{ err error }

func (e *readError) Error() string { return "reading what is to be uploaded: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

func send(stream brokerdv1.BrokerService_UploadClient, o *uploadOptions, r io.Reader) error {
	if err := stream.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Header{Header: o.header}}); err != nil {
		return err
	}
	var (
		buf   = make([]byte, chunkSize)
		chunk = &brokerdv1.UploadRequest_Chunk{}
		msg   = &brokerdv1.UploadRequest{Part: chunk}
		table = crc32.MakeTable(crc32.Castagnoli)
		crc   uint32
		sent  int64
	)
	for rerr := error(nil); rerr == nil; {
		var n int
		n, rerr = fill(r, buf)
		if rerr != nil && rerr != io.EOF {
			return &readError{rerr}
		}
		if n == 0 {
			continue
		}
		chunk.Chunk = buf[:n] // Send has copied it when it returns
		if err := stream.Send(msg); err != nil {
			return err
		}
		crc = crc32.Update(crc, table, buf[:n])
		sent += int64(n)
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
	return &Result{
		UploadID: r.GetUploadId(), Bucket: o.GetBucket(), Key: o.GetKey(), VersionID: o.GetVersionId(), ETag: o.GetEtag(),
		Size: int64(o.GetSize()), ChecksumCRC32C: o.GetChecksumCrc32C(), ServerSideEncryption: o.GetServerSideEncryption(),
		KMSKeyARN: o.GetKmsKeyArn(), Parts: int(o.GetParts()), Attempts: int(o.GetAttempts()), Stored: o.GetStoredTime().AsTime(),
	}
}
