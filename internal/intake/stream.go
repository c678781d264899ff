package intake

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/brokerd/brokerd/internal/reason"
)

// MaxChunk is the largest chunk of an upload, in bytes.
const MaxChunk = 256 << 10

// lookahead is how many bytes of an upload are received before its reader asks for
// them: all of a small upload, whose few messages then cost no change of goroutines.
const lookahead = 64 << 10

// Message is one message of an upload stream. At most one field is set.
type Message struct {
	Header *Header
	// Chunk holds object bytes in the buffers that they arrived in. The holder of the
	// message frees them, once.
	Chunk   mem.BufferSlice
	Trailer *Trailer
	// KeepAlive shows that the sender is alive. It carries nothing.
	KeepAlive bool
}

// Trailer is the sender's statement about the bytes that it sent.
type Trailer struct {
	Length uint64
	CRC32C uint32
}

func (m *Message) free() {
	m.Chunk.Free()
	m.Chunk = nil
}

// Announcer tells the sender of an upload its id.
type Announcer interface {
	// Announce runs once, before any byte of the object is read. Its error ends the upload.
	Announce(id string) error
}

// Sender is the sender of an upload that arrives in messages. Receive has a goroutine of
// its own; the other calls come from the reader.
type Sender interface {
	Announcer
	// Receive fills m. io.EOF is the sender's half-close.
	Receive(m *Message) error
	// Flush sends the announced id now. It runs once, before the first wait for the
	// sender after Announce; without a wait, the id travels with the answer.
	Flush() error
}

type received struct {
	Message
	err error
}

var errReleased = errors.New("the stream of the upload has ended")

// Stream is the body of an upload that arrives in messages. A goroutine receives them,
// so that a reader can be interrupted. That goroutine ends with the stream, and frees
// the messages that were not read.
type Stream struct {
	ctx  context.Context
	msgs chan received
	// ahead counts the bytes in msgs; room is signalled when they have become fewer.
	ahead atomic.Int64
	room  chan struct{}
	idle  time.Duration
	max   int64
	size  *uint64 // announced

	sender    Sender
	unflushed bool // the id was announced, and not flushed

	// abandoned is set when nothing is read any more.
	abandoned atomic.Bool

	once         sync.Once
	interrupted  chan struct{}
	interruptErr error

	mu     sync.Mutex // guards the fields below: the stream may end during a Read
	left   mem.BufferSlice
	ended  bool
	offset int // in left[0]

	total   int64
	trailer *Trailer
	err     error // final; io.EOF after a good end
}

// StreamLimits bound a Stream.
type StreamLimits struct {
	Idle      time.Duration // how long the sender may be silent
	MaxObject int64         // in bytes
}

// NewStream starts to receive. Call Release when nothing reads any more, and end ctx then.
func (in *Intake) NewStream(ctx context.Context, from Sender, limits StreamLimits) *Stream {
	return newStream(ctx, from, limits, in.readers)
}

func newStream(ctx context.Context, from Sender, limits StreamLimits, by *receivers) *Stream {
	b := &Stream{
		ctx: ctx, sender: from, idle: limits.Idle, max: limits.MaxObject,
		msgs: make(chan received, 4), room: make(chan struct{}, 1), interrupted: make(chan struct{}),
	}
	by.run(b.receive)
	return b
}

func (b *Stream) receive() {
	for {
		var m received
		m.err = b.sender.Receive(&m.Message)
		b.ahead.Add(int64(m.Chunk.Len()))
		select {
		case b.msgs <- m:
		case <-b.ctx.Done():
			m.free()
			return
		}
		if b.abandoned.Load() {
			b.discard() // Release may have run before m was there
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

// discard frees the messages that were received and not read.
func (b *Stream) discard() {
	for {
		select {
		case m := <-b.msgs:
			m.free()
		default:
			return
		}
	}
}

// Release frees everything that was received and not read. Later messages are freed as
// they arrive.
func (b *Stream) Release() {
	b.abandoned.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.left.Free()
	b.left = nil
	b.discard()
}

// Interrupt implements uploader.Body.
func (b *Stream) Interrupt(err error) {
	b.once.Do(func() {
		b.interruptErr = err
		close(b.interrupted)
	})
}

// Accepted implements Incoming.
func (b *Stream) Accepted(id string) error {
	b.unflushed = true
	return b.sender.Announce(id)
}

// next waits for a message, as long as the sender may be silent. io.EOF is the
// half-close. The caller frees the message.
func (b *Stream) next() (Message, error) {
	select {
	case m := <-b.msgs:
		return b.dequeued(m)
	default:
	}
	if b.unflushed {
		b.unflushed = false
		if err := b.sender.Flush(); err != nil {
			return Message{}, err
		}
	}
	timer := time.NewTimer(b.idle)
	defer timer.Stop()
	select {
	case m := <-b.msgs:
		return b.dequeued(m)
	case <-b.interrupted:
		return Message{}, b.interruptErr
	case <-b.ctx.Done():
		return Message{}, b.ctx.Err()
	case <-timer.C:
		return Message{}, reason.New(reason.ClientTooSlow,
			"no data for %s; send data at least every limits.idle_timeout, or raise that limit", b.idle)
	}
}

func (b *Stream) dequeued(m received) (Message, error) {
	if b.ahead.Add(-int64(m.Chunk.Len())) <= lookahead {
		select {
		case b.room <- struct{}{}:
		default:
		}
	}
	if m.err != nil && !errors.Is(m.err, io.EOF) {
		return Message{}, m.err
	}
	return m.Message, m.err
}

// Header receives the first message.
func (b *Stream) Header() (*Header, error) {
	m, err := b.next()
	if errors.Is(err, io.EOF) {
		return nil, reason.New(reason.ProtocolViolation, "the stream ended before its header")
	}
	if err != nil {
		return nil, err
	}
	defer m.free()
	if m.Header == nil {
		return nil, reason.New(reason.ProtocolViolation, "the first message of an upload must be its header")
	}
	b.size = m.Header.Size
	return m.Header, nil
}

// Read implements io.Reader. io.EOF comes only after a trailer and the half-close.
func (b *Stream) Read(dst []byte) (int, error) {
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

// copy takes bytes of the current chunk, and frees each buffer that is used up.
func (b *Stream) copy(dst []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, errReleased
	}
	for n < len(dst) && len(b.left) > 0 {
		data := b.left[0].ReadOnlyData()
		copied := copy(dst[n:], data[b.offset:])
		n += copied
		b.offset += copied
		if b.offset == len(data) {
			b.left[0].Free()
			b.left, b.offset = b.left[1:], 0
		}
	}
	return n, nil
}

func (b *Stream) advance() error {
	m, err := b.next()
	if errors.Is(err, io.EOF) {
		return reason.New(reason.TrailerMissing, "the stream ended without a trailer after %d bytes; nothing was stored", b.total)
	}
	switch {
	case err != nil:
		return err
	case m.Chunk != nil:
		return b.take(m.Chunk)
	case m.Trailer != nil:
		b.trailer = m.Trailer
		return b.close()
	case m.KeepAlive:
		return nil
	case m.Header != nil:
		return reason.New(reason.ProtocolViolation, "a second header: one stream is one object")
	default:
		return reason.New(reason.ProtocolViolation, "a message with neither chunk nor trailer")
	}
}

// take makes a chunk the current one, or frees it.
func (b *Stream) take(chunk mem.BufferSlice) error {
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

func (b *Stream) fits(n int64) error {
	switch {
	case n == 0:
		return reason.New(reason.ProtocolViolation, "an empty chunk")
	case n > MaxChunk:
		return reason.New(reason.ChunkTooLarge, "a chunk is larger than %d bytes: send the object in chunks of at most that size", MaxChunk)
	case b.total+n > b.max:
		return reason.New(reason.ObjectTooLarge, "the object is larger than limits.max_object, %d bytes", b.max)
	case b.size != nil && uint64(b.total+n) > *b.size:
		return reason.New(reason.SizeMismatch, "the header announced %d bytes and more came", *b.size)
	default:
		return nil
	}
}

// close waits for the half-close. A message after the trailer shows a client that does
// not know which bytes it sent.
func (b *Stream) close() error {
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

// Verify implements Incoming.
func (b *Stream) Verify(length int64, crc uint32) error {
	t := b.trailer
	switch {
	case t == nil:
		return reason.New(reason.TrailerMissing, "the stream ended without a trailer; nothing was stored")
	case t.Length != uint64(length):
		return reason.New(reason.LengthMismatch, "the trailer says %d bytes, %d came; nothing was stored", t.Length, length)
	case t.CRC32C != crc:
		return reason.New(
			reason.ChecksumMismatch,
			"the trailer says CRC32C %08x, the received bytes have %08x; nothing was stored",
			t.CRC32C,
			crc,
		)
	case b.size != nil && *b.size != uint64(length):
		return reason.New(reason.SizeMismatch, "the header announced %d bytes, %d came; nothing was stored", *b.size, length)
	default:
		return nil
	}
}
