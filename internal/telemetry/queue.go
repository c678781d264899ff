package telemetry

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

// The limits of the log queue, in bytes. Lines of level debug and info may use
// QueueOrdinary. Warnings, errors and audit lines may use QueueMax.
const (
	QueueOrdinary = 3 << 19 // 1.5 MiB
	QueueMax      = 2 << 20
)

const (
	writeSize = 64 << 10 // the most bytes of one write
	// stalledAfter is how long one write may take before the log counts as stalled.
	stalledAfter = time.Second
	againWait    = 10 * time.Millisecond // before a write that returned EAGAIN is repeated
)

// ErrLogFull is returned for an audit line that the queue has no room for.
var ErrLogFull = errors.New("the reader of the log does not keep up, and the log queue is full")

// lineQueue writes lines to w in a goroutine of its own, so that no caller waits for
// the reader of the log. A line that does not fit is dropped and counted.
type lineQueue struct {
	w      io.Writer
	report func(dropped uint64, since time.Time) []byte // the line that reports dropped lines

	mu           sync.Mutex
	lines        [][]byte
	bytes        int
	closed       bool
	writing      time.Time // start of the write in progress; zero without one
	failed       error     // of the last write; nil after a success
	dropped      uint64
	unreported   uint64    // dropped lines that no report line has named yet
	droppedSince time.Time // the first of them
	idle         chan struct{}

	wake chan struct{}
	done chan struct{}
}

func newLineQueue(w io.Writer, report func(uint64, time.Time) []byte) *lineQueue {
	q := &lineQueue{w: w, report: report, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go q.run()
	return q
}

// put queues a line that ends in a newline. It never blocks. It returns ErrLogFull
// when the queue would hold more than limit bytes.
func (q *lineQueue) put(line []byte, limit int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.bytes+len(line) > limit {
		q.dropLocked(1)
		return ErrLogFull
	}
	q.lines = append(q.lines, append(make([]byte, 0, len(line)), line...))
	q.bytes += len(line)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

func (q *lineQueue) dropLocked(n uint64) {
	if q.unreported == 0 {
		q.droppedSince = time.Now()
	}
	q.dropped += n
	q.unreported += n
}

// run writes until the queue is closed and empty.
func (q *lineQueue) run() {
	defer close(q.done)
	torn := false // the last write ended within a line
	for {
		batch, count, reported, last := q.take()
		if len(batch) == 0 {
			if last {
				return
			}
			<-q.wake
			continue
		}
		if torn {
			batch = append([]byte{'\n'}, batch...)
		}
		n, err := q.write(batch)
		torn = n > 0 && batch[n-1] != '\n' || n == 0 && torn
		q.mu.Lock()
		q.writing, q.failed = time.Time{}, err
		switch {
		case err != nil:
			q.dropLocked(uint64(count))
		case reported > 0:
			q.unreported -= reported
			if q.unreported > 0 {
				q.droppedSince = time.Now()
			}
		}
		q.mu.Unlock()
	}
}

// take removes lines for one write. last reports that the queue is closed and empty.
func (q *lineQueue) take() (batch []byte, count int, reported uint64, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for count < len(q.lines) && (count == 0 || len(batch)+len(q.lines[count]) <= writeSize) {
		batch = append(batch, q.lines[count]...)
		count++
	}
	for i := range count {
		q.lines[i] = nil
	}
	q.lines = q.lines[count:]
	q.bytes -= len(batch)
	if len(q.lines) == 0 {
		q.lines = nil // release the memory of a full queue
		if q.unreported > 0 && (count > 0 || q.closed && q.failed == nil) {
			reported = q.unreported
			batch = append(batch, q.report(reported, q.droppedSince)...)
		}
	}
	if len(batch) == 0 {
		if q.idle != nil {
			close(q.idle)
			q.idle = nil
		}
		return nil, 0, 0, q.closed
	}
	q.writing = time.Now()
	return batch, count, reported, false
}

// write writes p. Another process may have made the descriptor non-blocking: a full
// pipe then gives EAGAIN instead of waiting.
func (q *lineQueue) write(p []byte) (n int, err error) {
	for n < len(p) {
		m, err := q.w.Write(p[n:])
		n += max(m, 0)
		if errors.Is(err, syscall.EAGAIN) {
			time.Sleep(againWait)
			continue
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// flush waits until all lines that were queued before have been written, or ctx ends.
func (q *lineQueue) flush(ctx context.Context) error {
	q.mu.Lock()
	if len(q.lines) == 0 && q.writing.IsZero() {
		q.mu.Unlock()
		return nil
	}
	if q.idle == nil {
		q.idle = make(chan struct{})
	}
	idle := q.idle
	q.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close writes the queued lines and ends the goroutine. When ctx ends before, the
// goroutine stays in its write, which only the reader of the log can end.
func (q *lineQueue) close(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
