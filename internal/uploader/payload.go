package uploader

import (
	"context"
	"io"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

// paceBurst is the least that a destination with a rate limit sends at a time, in bytes.
const paceBurst = 64 << 10

// sourceError is a failure to read the bytes to send. It is no failure of the network.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "reading the bytes to send: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// source provides the bytes of one request, at the destination's rate limit, and
// remembers whether reading them failed.
type source struct {
	ctx    context.Context
	open   func() io.Reader
	pace   *rate.Limiter
	failed atomic.Pointer[sourceError]
}

func (to *destination) source(ctx context.Context, open func() io.Reader) *source {
	return &source{ctx: ctx, open: open, pace: to.pace}
}

// payload returns the payload for a request.
func (s *source) payload(size int64, crc uint32) s3client.Payload {
	return s3client.Payload{Size: size, CRC32C: crc, Open: func() (io.Reader, error) {
		r := s.open()
		if from, ok := r.(s3client.Slicer); ok && s.pace == nil {
			return from, nil // a part in memory; reading it cannot fail
		}
		return &sourceReader{source: s, r: r}, nil
	}}
}

// cause returns the failure to read the source if there was one, and err otherwise.
func (s *source) cause(err error) error {
	if f := s.failed.Load(); err != nil && f != nil {
		return f
	}
	return err
}

type sourceReader struct {
	*source
	r io.Reader
}

// Read implements io.Reader.
func (s *sourceReader) Read(dst []byte) (int, error) {
	if s.pace != nil {
		dst = dst[:min(len(dst), s.pace.Burst())]
	}
	n, err := s.r.Read(dst)
	if n > 0 && s.pace != nil {
		if perr := s.pace.WaitN(s.ctx, n); perr != nil {
			return 0, perr
		}
	}
	if err != nil && err != io.EOF {
		s.failed.CompareAndSwap(nil, &sourceError{err})
	}
	return n, err
}
