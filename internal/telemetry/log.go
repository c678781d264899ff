package telemetry

import (
	"context"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Log is the log of the daemon: JSON lines to one writer. No line that
// arrives here is sampled; package quota limits those that a user can cause.
//
// No call of the Logger waits for the reader of the log. Lines wait in a queue; a
// line that does not fit is dropped, counted, and reported in the log when its reader
// reads again. An audit line is different: Record returns an error when the line does
// not fit, and its caller must then refuse the action.
type Log struct {
	*zap.Logger
	Level zap.AtomicLevel // may be changed at any time

	core  *queueCore
	queue *lineQueue
}

// NewLog returns a log that writes to w in a goroutine of its own, until Close. level
// is debug, info, warn or error.
func NewLog(w io.Writer, level string) (*Log, error) {
	parsed, err := ParseLevel(level)
	if err != nil {
		return nil, err
	}
	cfg := zap.NewProductionEncoderConfig()
	cfg.TimeKey = "time"
	cfg.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	cfg.EncodeDuration = zapcore.StringDurationEncoder
	l := &Log{Level: zap.NewAtomicLevelAt(parsed)}
	l.core = &queueCore{LevelEnabler: l.Level, encoder: zapcore.NewJSONEncoder(cfg)}
	l.queue = newLineQueue(w, l.core.dropReport)
	l.core.queue = l.queue
	l.Logger = zap.New(l.core)
	return l, nil
}

// Record writes an audit line, at level info. The level of the log does not suppress
// it. An error says that the line was not written and will not be.
func (l *Log) Record(msg string, fields ...zap.Field) error {
	return l.core.put(zapcore.Entry{Level: zapcore.InfoLevel, Time: time.Now(), Message: msg}, fields, QueueMax)
}

// LogStats describes the state of the log.
type LogStats struct {
	Dropped      uint64        // lines, since the start
	QueuedBytes  int           // bytes that wait for the reader of the log
	StalledSince time.Time     // when the write in progress began; zero while the reader keeps up
	Err          error         // of the last write; nil after a success
	Stalled      time.Duration // how long the write in progress has taken; 0 while the reader keeps up
}

// Stats returns the state of the log.
func (l *Log) Stats() LogStats {
	q := l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	s := LogStats{Dropped: q.dropped, QueuedBytes: q.bytes, Err: q.failed}
	if took := time.Since(q.writing); !q.writing.IsZero() && took > stalledAfter {
		s.StalledSince, s.Stalled = q.writing, took
	}
	return s
}

// Flush waits until the queued lines are written, or ctx ends.
func (l *Log) Flush(ctx context.Context) error { return l.queue.flush(ctx) }

// Close writes the queued lines until ctx ends. Later lines are dropped.
func (l *Log) Close(ctx context.Context) error { return l.queue.close(ctx) }

// queueCore encodes entries and queues them.
type queueCore struct {
	zapcore.LevelEnabler
	encoder zapcore.Encoder
	queue   *lineQueue
}

// With implements zapcore.Core.
func (c *queueCore) With(fields []zapcore.Field) zapcore.Core {
	out := *c
	out.encoder = c.encoder.Clone()
	for _, f := range fields {
		f.AddTo(out.encoder)
	}
	return &out
}

// Check implements zapcore.Core.
func (c *queueCore) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write implements zapcore.Core. A dropped line is no error of the caller: it is
// counted and reported later.
func (c *queueCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	limit := QueueOrdinary
	if e.Level >= zapcore.WarnLevel {
		limit = QueueMax
	}
	_ = c.put(e, fields, limit)
	return nil
}

// Sync implements zapcore.Core. It does not wait: see Log.Flush.
func (c *queueCore) Sync() error { return nil }

func (c *queueCore) put(e zapcore.Entry, fields []zapcore.Field, limit int) error {
	line, err := c.encoder.EncodeEntry(e, fields)
	if err != nil {
		return fmt.Errorf("encoding a log line: %w", err)
	}
	defer line.Free()
	return c.queue.put(line.Bytes(), limit)
}

// dropReport returns the line that reports dropped lines.
func (c *queueCore) dropReport(dropped uint64, since time.Time) []byte {
	line, err := c.encoder.EncodeEntry(zapcore.Entry{
		Level: zapcore.WarnLevel, Time: time.Now(), Message: "log lines were dropped because the reader of the log did not keep up or was gone",
	}, []zapcore.Field{zap.Uint64("lines", dropped), zap.Time("since", since)})
	if err != nil {
		return nil
	}
	defer line.Free()
	return append([]byte(nil), line.Bytes()...)
}

// ParseLevel returns the log level of a name.
func ParseLevel(level string) (zapcore.Level, error) {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return parsed, fmt.Errorf("log level %q: want debug, info, warn or error", level)
	}
	return parsed, nil
}
