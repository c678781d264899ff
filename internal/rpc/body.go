package rpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// MaxChunk is the largest chunk of an upload, in bytes.
const MaxChunk = 256 << 10

// maxMessage leaves room above MaxChunk, so that a chunk slightly too large gets
// an answer that names the limit.
const maxMessage = 1 << 20

// uploadStream is a stream whose codec knows *frame.
type uploadStream interface {
	Context() context.Context
	RecvMsg(m any) error
}

type received struct {
	frame
	err error
}

// body turns the messages of an upload into a uploader.Body. A goroutine
// receives, so that a reader can be interrupted; it ends with the stream, and
// what was received and not read is freed then.
type body struct {
	ctx  context.Context
	msgs chan received
	// ahead is how many bytes msgs holds; room is told when they have become fewer.
	ahead atomic.Int64
	room  chan struct{}
	idle  time.Duration
	max   int64
	size  *uint64 // announced

	// late is called before a wait for the client; nil: nothing is to be done then.
	late func() error

	// over says that nobody reads any more.
	over atomic.Bool

	once        sync.Once
	interrupted chan struct{}
	why         error

	mu     sync.Mutex // guards what follows: the stream may end during a Read
	left   mem.BufferSlice
	ended  bool
	offset int // in left[0]

	total   int64
	trailer *brokerdv1.UploadTrailer
	err     error // final, io.EOF after a good end
}

var errReleased = errors.New("the stream of the upload has ended")

// lookahead is how much may be received before it is asked for, in bytes: all of
// a small upload, so that its few messages cost no change of goroutines each.
const lookahead = 64 << 10

// newBody starts to receive. Call release when nobody will read any more, and end the
// stream then.
func newBody(stream uploadStream, idle time.Duration, by *receivers) *body {
	b := &body{ctx: stream.Context(), msgs: make(chan received, 4), room: make(chan struct{}, 1), idle: idle, interrupted: make(chan struct{})}
	by.run(func() { b.receive(stream) })
	return b
}

func (b *body) receive(stream uploadStream) {
	for {
		var m received
		m.err = stream.RecvMsg(&m.frame)
		b.ahead.Add(int64(m.chunk.Len()))
		select {
		case b.msgs <- m:
		case <-b.ctx.Done():
			m.free()
			return
		}
		if b.over.Load() {
			b.drain() // release may have looked before m was there
			return
		}
		if m.err != nil {
			return
		}
		for b.ahead.Load() > lookahead {
			select {
			case <-b.room:
			case <-b.ctx.Done():
				return
			}
		}
	}
}

// drain frees what was received and not asked for.
func (b *body) drain() {
	for {
		select {
		case m := <-b.msgs:
			m.free()
		default:
			return
		}
	}
}

// release frees what nobody will read. What is still to come is freed as it comes.
func (b *body) release() {
	b.over.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.left.Free()
	b.left = nil
	b.drain()
}

// Interrupt implements uploader.Body.
func (b *body) Interrupt(err error) {
	b.once.Do(func() {
		b.why = err
		close(b.interrupted)
	})
}

// next waits for a message, as long as the client may be silent. io.EOF is the half-close.
// The frame is the caller's to free.
func (b *body) next() (frame, error) {
	select {
	case m := <-b.msgs:
		return b.took(m)
	default:
	}
	if b.late != nil {
		if err := b.late(); err != nil {
			return frame{}, err
		}
	}
	timer := time.NewTimer(b.idle)
	defer timer.Stop()
	select {
	case m := <-b.msgs:
		return b.took(m)
	case <-b.interrupted:
		return frame{}, b.why
	case <-b.ctx.Done():
		return frame{}, b.ctx.Err()
	case <-timer.C:
		return frame{}, reason.New(reason.ClientTooSlow,
			"nothing came for %s; send at least a byte within limits.idle_timeout, or raise it", b.idle)
	}
}

func (b *body) took(m received) (frame, error) {
	if b.ahead.Add(-int64(m.chunk.Len())) <= lookahead {
		select {
		case b.room <- struct{}{}:
		default:
		}
	}
	if m.err != nil && !errors.Is(m.err, io.EOF) {
		return frame{}, m.err
	}
	return m.frame, m.err
}

func tooLarge() *reason.Error {
	return reason.New(reason.ChunkTooLarge, "a chunk is larger than %d bytes: send the object in chunks of at most that size", MaxChunk)
}

// header receives the first message.
func (b *body) header() (*brokerdv1.UploadHeader, error) {
	m, err := b.next()
	if errors.Is(err, io.EOF) {
		return nil, reason.New(reason.ProtocolViolation, "the stream ended before its header")
	}
	if err != nil {
		return nil, err
	}
	defer m.free()
	h := m.msg.GetHeader()
	if h == nil {
		return nil, reason.New(reason.ProtocolViolation, "the first message of an upload must be its header")
	}
	b.size = h.Size
	return h, nil
}

// Read implements io.Reader. io.EOF comes only after a trailer and the half-close.
func (b *body) Read(dst []byte) (int, error) {
	for {
		n, err := b.copy(dst)
		if n > 0 || err != nil || len(dst) == 0 {
			return n, err
		}
		if b.err == nil {
			b.err = b.advance()
		}
		if b.err != nil {
			return 0, b.err
		}
	}
}

// copy takes from the chunk that is being read, and frees each of its buffers
// when all of it was taken.
func (b *body) copy(dst []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, errReleased
	}
	for n < len(dst) && len(b.left) > 0 {
		data := b.left[0].ReadOnlyData()
		took := copy(dst[n:], data[b.offset:])
		n += took
		b.offset += took
		if b.offset == len(data) {
			b.left[0].Free()
			b.left, b.offset = b.left[1:], 0
		}
	}
	return n, nil
}

func (b *body) advance() error {
	m, err := b.next()
	if errors.Is(err, io.EOF) {
		return reason.New(reason.TrailerMissing,
			"the stream ended without a trailer after %d bytes; nothing was stored", b.total)
	}
	if err != nil {
		return err
	}
	if m.chunk != nil {
		return b.take(m.chunk)
	}
	switch part := m.msg.GetPart().(type) {
	case *brokerdv1.UploadRequest_Chunk:
		return b.take(mem.BufferSlice{mem.SliceBuffer(part.Chunk)})
	case *brokerdv1.UploadRequest_Trailer:
		b.trailer = part.Trailer
		return b.close()
	case *brokerdv1.UploadRequest_Header:
		return reason.New(reason.ProtocolViolation, "a second header: one stream is one object")
	default:
		return reason.New(reason.ProtocolViolation, "a message with neither chunk nor trailer")
	}
}

// take makes a chunk the one that is being read, or frees it.
func (b *body) take(chunk mem.BufferSlice) error {
	if err := b.fits(int64(chunk.Len())); err != nil {
		chunk.Free()
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		chunk.Free()
		return errReleased
	}
	b.total += int64(chunk.Len())
	b.left = chunk
	return nil
}

func (b *body) fits(n int64) error {
	switch {
	case n == 0:
		return reason.New(reason.ProtocolViolation, "an empty chunk")
	case n > MaxChunk:
		return tooLarge()
	case b.total+n > b.max:
		return reason.New(reason.ObjectTooLarge, "the object is larger than limits.max_object, %d bytes", b.max)
	case b.size != nil && uint64(b.total+n) > *b.size:
		return reason.New(reason.SizeMismatch, "the header announced %d bytes and more came", *b.size)
	default:
		return nil
	}
}

// close waits for the half-close: whatever comes after a trailer shows a client
// that does not know what it sent.
func (b *body) close() error {
	m, err := b.next()
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if err != nil {
		return err
	}
	m.free()
	return reason.New(reason.ProtocolViolation, "a message after the trailer")
}

// verify compares what arrived with what the client says it sent.
func (b *body) verify(length int64, crc uint32) error {
	t := b.trailer
	switch {
	case t == nil:
		return reason.New(reason.TrailerMissing, "the stream ended without a trailer; nothing was stored")
	case t.GetLength() != uint64(length):
		return reason.New(reason.LengthMismatch, "the trailer says %d bytes, %d came; nothing was stored", t.GetLength(), length)
	case t.GetCrc32C() != crc:
		return reason.New(reason.ChecksumMismatch, "the trailer says CRC32C %08x, what came has %08x; nothing was stored", t.GetCrc32C(), crc)
	case b.size != nil && *b.size != uint64(length):
		return reason.New(reason.SizeMismatch, "the header announced %d bytes, %d came; nothing was stored", *b.size, length)
	default:
		return nil
	}
}
