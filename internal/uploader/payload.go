package uploader

import (
	"context"
	"io"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/brokerd/brokerd/internal/uploader/s3client"
)

// paceBurst is the least that a paced lane sends at a time, in bytes.
const paceBurst = 64 << 10

// sourceError is a failure to read what is to be sent: no fault of the network's.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "reading what is to be sent: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// payload makes a body of what open gives, paced as the destination wants it. Call
// read after a failure: it says whether reading was what failed.
func (l *lane) payload(ctx context.Context, open func() io.Reader, size int64, crc uint32) (p s3client.Payload, read func(error) error) {
	var failed atomic.Pointer[sourceError]
	p = s3client.Payload{Size: size, CRC32C: crc, Open: func() (io.Reader, error) {
		r := open()
		if from, ok := r.(s3client.Slicer); ok && l.pace == nil {
			return from, nil // a part in memory, which cannot fail
		}
		return &source{ctx: ctx, r: r, pace: l.pace, failed: &failed}, nil
	}}
	return p, func(err error) error {
		if f := failed.Load(); err != nil && f != nil {
			return f
		}
		return err
	}
}

type source struct {
	ctx    context.Context
	r      io.Reader
	pace   *rate.Limiter
	failed *atomic.Pointer[sourceError]
}

// Read implements io.Reader.
func (s *source) Read(dst []byte) (int, error) {
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
