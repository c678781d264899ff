package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	defaultRotateSize = 1 << 20
	defaultPending    = 4
)

// ErrWriterClosed is the error of a Writer that was closed.
var ErrWriterClosed = errors.New("client: the writer is closed")

// Unsent is an object that a Writer took and could not deliver.
type Unsent struct {
	Name string
	// Key is the idempotency key it was sent under; send it again under the same.
	Key  string
	Data []byte
}

// UnsentError holds the bytes that a Writer took and could not deliver: no byte is
// dropped in silence.
type UnsentError struct {
	Err     error
	Objects []Unsent
}

// Error says how much is left, and why.
func (e *UnsentError) Error() string {
	n := 0
	for _, o := range e.Objects {
		n += len(o.Data)
	}
	return fmt.Sprintf("client: %d objects with %d bytes were not delivered: %v", len(e.Objects), n, e.Err)
}

// Unwrap gives the cause.
func (e *UnsentError) Unwrap() error { return e.Err }

// WriterOption changes a Writer.
type WriterOption func(*Writer)

// WithRotateSize ends an object before it would grow beyond n bytes. Default: 1 MiB.
func WithRotateSize(n int) WriterOption { return func(w *Writer) { w.size = max(n, 1) } }

// WithRotateEvery ends an object when its first byte is d old. Default: never.
func WithRotateEvery(d time.Duration) WriterOption { return func(w *Writer) { w.every = d } }

// WithPending lets n ended objects wait for their delivery. Default: 4.
func WithPending(n int) WriterOption { return func(w *Writer) { w.pending = max(n, 1) } }

// WithWholeLines ends objects only behind a newline. It is for a Writer that is
// fed by a copy, whose writes mean nothing. A line is held until it ends, however long.
func WithWholeLines() WriterOption { return func(w *Writer) { w.lines = true } }

// WithObjectOptions are for every object. WithIdempotencyKey has no place here.
func WithObjectOptions(opts ...UploadOption) WriterOption {
	return func(w *Writer) { w.opts = append(w.opts, opts...) }
}

// Writer turns writes into objects, by size and age. It fits where a log file
// does: behind log.New, slog.NewJSONHandler, or anything that takes an
// io.WriteCloser. One write is never split over two objects; one that is larger
// than the limit is an object by itself.
//
// Write answers when the bytes are in memory; only Flush and Close report that they
// are delivered. Memory holds the object that is being written and those that
// wait. When there is no room, Write waits, but not on a daemon that does not
// answer: then it takes nothing and returns the error of the last try. Accepted bytes
// are tried again under their own key. After a final refusal no more bytes are
// taken, and Close returns the rest in an *UnsentError.
//
// A Writer may be used by several goroutines.
type Writer struct {
	c       *Client
	dest    string
	name    func(begun time.Time, seq uint64) string
	size    int
	every   time.Duration
	pending int
	lines   bool
	opts    []UploadOption

	ctx  context.Context
	end  context.CancelFunc
	done chan struct{}
	age  *time.Timer

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, when a field below changed
	open    []byte
	begun   time.Time
	seq     uint64
	queue   []Unsent // the first is being sent
	trouble error    // of the last try; nil after a success
	fails   int      // failed tries of the first
	final   bool     // trouble is for good
	closed  bool
}

// NewWriter makes a Writer and its goroutine, which ends with Close. name gives
// every object its name, from the time of its first byte and a number from 1.
// When ctx ends, deliveries end.
func (c *Client) NewWriter(
	ctx context.Context,
	destination string,
	name func(begun time.Time, seq uint64) string,
	opts ...WriterOption,
) *Writer {
	w := &Writer{
		c:       c,
		dest:    destination,
		name:    name,
		size:    defaultRotateSize,
		pending: defaultPending,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
	}
	for _, o := range opts {
		o(w)
	}
	w.ctx, w.end = context.WithCancel(ctx)
	go w.deliver()
	return w
}

// Write implements io.Writer. It takes all of p or nothing.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch {
		case w.closed:
			return 0, ErrWriterClosed
		case w.final:
			return 0, w.trouble
		case w.ctx.Err() != nil:
			return 0, w.ctx.Err()
		case len(p) == 0:
			return 0, nil
		}
		full := len(w.open) > 0 && len(w.open)+len(p) > w.size && w.boundary() >= 0
		if !full {
			break
		}
		if len(w.queue) < w.pending {
			w.seal(w.boundary())
			break
		}
		if w.trouble != nil {
			return 0, fmt.Errorf("client: %d objects wait and the daemon takes none: %w", len(w.queue), w.trouble)
		}
		w.wait()
	}
	if len(w.open) == 0 {
		w.begin()
	}
	w.open = append(w.open, p...)
	return len(p), nil
}

// boundary is where the open object may end, -1 when nowhere.
func (w *Writer) boundary() int {
	if !w.lines {
		return len(w.open)
	}
	if i := bytes.LastIndexByte(w.open, '\n'); i >= 0 {
		return i + 1
	}
	return -1
}

func (w *Writer) begin() {
	w.begun = time.Now()
	if w.every <= 0 {
		return
	}
	seq := w.seq
	w.age = time.AfterFunc(w.every, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if n := w.boundary(); w.seq == seq && len(w.open) > 0 && n > 0 {
			w.seal(n)
		}
	})
}

// seal ends the open object at n; the bytes behind it begin the next one.
func (w *Writer) seal(n int) {
	if w.age != nil {
		w.age.Stop()
	}
	w.seq++
	w.queue = append(w.queue, Unsent{Name: w.name(w.begun, w.seq), Key: newKey(), Data: w.open[:n:n]})
	w.open = slices.Clone(w.open[n:])
	if len(w.open) > 0 {
		w.begin()
	}
	w.tell()
}

func (w *Writer) tell() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// wait lets go of the lock until something changed or ctx ended.
func (w *Writer) wait() {
	changed := w.changed
	w.mu.Unlock()
	defer w.mu.Lock()
	select {
	case <-changed:
	case <-w.ctx.Done():
	}
}

// deliver sends the first object of the queue until it is delivered or refused.
func (w *Writer) deliver() {
	defer close(w.done)
	pause := firstPause
	for {
		w.mu.Lock()
		for len(w.queue) == 0 && !w.closed && w.ctx.Err() == nil {
			w.wait()
		}
		if len(w.queue) == 0 || w.ctx.Err() != nil {
			w.mu.Unlock()
			return
		}
		o := w.queue[0]
		w.mu.Unlock()

		_, err := w.c.Upload(w.ctx, w.dest, o.Name, bytes.NewReader(o.Data),
			append(slices.Clone(w.opts), WithSize(int64(len(o.Data))), WithIdempotencyKey(o.Key))...)

		w.mu.Lock()
		w.trouble = err
		switch {
		case err == nil:
			w.queue, w.fails, pause = w.queue[1:], 0, firstPause
		case !worthRetrying(err):
			w.final = true
		default:
			w.fails++
		}
		stop := w.final || w.closed && err != nil
		w.tell()
		w.mu.Unlock()
		if stop {
			return
		}
		if err != nil {
			sleep(w.ctx, pause)
			pause = min(2*pause, longestPause)
		}
	}
}

// Flush ends the open object and waits until all earlier writes are delivered.
// When a try fails meanwhile it returns that error; the bytes stay and are tried
// again.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.open) > 0 {
		w.seal(len(w.open))
	}
	last, fails := w.seq, w.fails
	for {
		delivered := w.seq - uint64(len(w.queue))
		switch {
		case delivered >= last:
			return nil
		case w.final:
			return w.trouble
		case w.fails > fails:
			return w.trouble
		case w.ctx.Err() != nil:
			return w.ctx.Err()
		}
		fails = min(fails, w.fails) // an object before was delivered
		w.wait()
	}
}

// Close ends the open object and returns when all is delivered, or with an
// *UnsentError that holds the rest. Writes after it fail.
func (w *Writer) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		<-w.done
		return ErrWriterClosed
	}
	if len(w.open) > 0 {
		w.seal(len(w.open))
	}
	w.closed = true
	w.tell()
	w.mu.Unlock()
	<-w.done
	w.end()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return nil
	}
	err := w.trouble
	if err == nil {
		err = context.Canceled
	}
	return &UnsentError{Err: err, Objects: slices.Clone(w.queue)}
}

var _ io.WriteCloser = (*Writer)(nil)
