package client

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// idleHeader is the response header that names the daemon's idle timeout. A daemon that
// sends it accepts keep-alive messages.
const idleHeader = "brokerd-idle-timeout"

// readError is an error of the body's reader.
type readError struct{ err error }

func (e *readError) Error() string { return "reading the data to upload: " + e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// stream sends the bytes of a body once. complete reports whether the trailer was sent.
func (c *Client) stream(ctx context.Context, o *uploadOptions, b *body) (resp *brokerdv1.UploadResponse, complete bool, err error) {
	// Canceling the stream before the trailer cancels the upload.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Broker().Upload(ctx, grpc.ForceCodecV2(newCodec()))
	if err != nil {
		return nil, false, c.ended(ctx, err)
	}
	s := &sender{stream: stream, o: o, chunks: &c.chunks}
	if b.producer != nil {
		s.answer = make(chan streamAnswer, 1)
		go s.receive()
	}
	err = s.send(ctx, b)
	var reading *readError
	var known *Error
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, false, ctx.Err()
	case errors.As(err, &reading), errors.As(err, &known):
		return nil, false, err
	case err != nil && !errors.Is(err, io.EOF):
		return nil, false, c.ended(ctx, err)
	}
	// io.EOF from Send: the daemon has answered already, and its answer has the cause.
	complete = err == nil
	if s.answer == nil {
		resp, err = stream.CloseAndRecv()
		return resp, complete, c.ended(ctx, err)
	}
	if err := stream.CloseSend(); err != nil {
		return nil, complete, c.ended(ctx, err)
	}
	a := <-s.answer
	return a.resp, complete, c.ended(ctx, a.err)
}

// deadlineSlack is how far the daemon's timer of a deadline may be ahead of this one.
const deadlineSlack = 100 * time.Millisecond

// ended prefers the end of ctx over the status that gRPC makes of it.
func (c *Client) ended(ctx context.Context, err error) error {
	// The daemon knows the deadline of ctx, and may end the stream a moment before it.
	if code := status.Code(err); code == codes.Canceled || code == codes.DeadlineExceeded {
		if at, ok := ctx.Deadline(); ok && time.Until(at) < deadlineSlack {
			<-ctx.Done()
		}
	}
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return c.FromError(err)
}

// streamAnswer is the end of a stream.
type streamAnswer struct {
	resp *brokerdv1.UploadResponse
	err  error
}

// receive waits for the daemon's answer next to the sender: a slow producer does not
// delay the news that the daemon is gone. The response header sets the interval of
// keep-alive messages to a third of the daemon's idle timeout.
func (s *sender) receive() {
	if header, err := s.stream.Header(); err == nil && len(header.Get(idleHeader)) > 0 {
		if idle, err := time.ParseDuration(header.Get(idleHeader)[0]); err == nil && idle > 0 {
			s.every.Store(int64(idle / 3))
		}
	}
	var a streamAnswer
	a.resp = new(brokerdv1.UploadResponse)
	a.err = s.stream.RecvMsg(a.resp)
	s.answer <- a
}

// sender sends one attempt of an upload.
type sender struct {
	stream brokerdv1.BrokerService_UploadClient
	o      *uploadOptions
	chunks *chunkPool

	crc    uint32
	sent   int64
	last   time.Time         // of the last message
	every  atomic.Int64      // nanoseconds between keep-alive messages; 0: the daemon accepts none
	answer chan streamAnswer // has the daemon's answer; nil: it is received after the trailer
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// send returns nil when the trailer was sent, io.EOF when the daemon has answered before.
func (s *sender) send(ctx context.Context, b *body) error {
	if err := s.stream.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Header{Header: s.o.header}}); err != nil {
		return err
	}
	var err error
	if b.producer == nil {
		err = s.direct(b.replay)
	} else {
		err = s.produced(ctx, b.producer)
	}
	if err != nil {
		return err
	}
	if err := b.check(s.sent, s.crc); err != nil {
		return err
	}
	return s.stream.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Trailer{
		Trailer: &brokerdv1.UploadTrailer{Length: uint64(s.sent), Crc32C: s.crc},
	}})
}

// direct sends a body whose Read does not wait.
func (s *sender) direct(r io.Reader) error {
	for rerr := error(nil); rerr == nil; {
		var n int
		buf := s.chunks.Get(chunkSize)
		n, rerr = fill(r, (*buf)[chunkRoom:])
		if n == 0 || rerr != nil && rerr != io.EOF {
			s.chunks.Put(buf)
			if rerr != nil && rerr != io.EOF {
				return &readError{rerr}
			}
			continue
		}
		if err := s.chunk(buf, n); err != nil {
			return err
		}
	}
	return nil
}

// fill reads until buf is full or r has ended. Unlike io.ReadFull it keeps a reader's own
// io.ErrUnexpectedEOF apart from a clean end: only after a clean end there is an object.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

// chunk sends the n bytes of buf after chunkRoom. buf is not the caller's any more.
func (s *sender) chunk(buf *[]byte, n int) error {
	s.crc = crc32.Update(s.crc, castagnoli, (*buf)[chunkRoom:chunkRoom+n])
	s.sent += int64(n)
	s.last = time.Now()
	if err := s.stream.SendMsg(s.chunks.seal(buf, n)); err != nil {
		return err
	}
	if s.o.progress != nil {
		s.o.progress(s.sent)
	}
	return nil
}

// produced sends a body whose producer may be slow or silent. Bytes wait for more for at
// most partialAfter. Keep-alive messages fill longer pauses. It returns when ctx or the
// stream ends, also during a Read.
func (s *sender) produced(ctx context.Context, p *producer) error {
	tick := time.NewTicker(partialAfter)
	defer tick.Stop()
	s.last = time.Now()
	for {
		buf := s.chunks.Get(chunkSize)
		data := (*buf)[chunkRoom:]
		p.begin(data)
		last, err := s.oneBuffer(ctx, p, tick.C, buf, data)
		if err != nil || last {
			return err
		}
	}
}

// oneBuffer sends the producer's bytes that fit one buffer. last: it was the end.
func (s *sender) oneBuffer(ctx context.Context, p *producer, tick <-chan time.Time, buf *[]byte, data []byte) (last bool, err error) {
	flushed := 0
	for {
		select {
		case got := <-p.got:
			p.taken()
			if got.err != nil && ctx.Err() != nil { // the end of ctx may end the producer too
				return false, ctx.Err()
			}
			if got.err != nil && got.err != io.EOF {
				s.chunks.Put(buf)
				return false, &readError{got.err}
			}
			last = got.err == io.EOF
			if flushed == 0 && got.n > 0 {
				return last, s.chunk(buf, got.n)
			}
			err = s.copied(data[flushed:got.n])
			s.chunks.Put(buf)
			return last, err
		case <-tick:
			n := p.progress()
			switch {
			case n > flushed:
				err = s.copied(data[flushed:n])
				flushed = n
			case s.every.Load() > 0 && time.Since(s.last) >= time.Duration(s.every.Load()):
				err = s.keepAlive()
			}
			if err != nil {
				return false, err // the producer keeps buf
			}
		case <-ctx.Done():
			return false, ctx.Err()
		case a := <-s.answer:
			s.answer <- a // for stream
			return false, io.EOF
		}
	}
}

// copied sends a copy of b: the producer goes on to fill the buffer behind it.
func (s *sender) copied(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	buf := s.chunks.Get(chunkSize)
	copy((*buf)[chunkRoom:], b)
	return s.chunk(buf, len(b))
}

func (s *sender) keepAlive() error {
	s.last = time.Now()
	return s.stream.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_KeepAlive{KeepAlive: &brokerdv1.KeepAlive{}}})
}
