package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// reader is the reader of a log: it may stand still, or be gone.
type reader struct {
	mu   sync.Mutex
	gate sync.Mutex // held while the reader stands still
	text bytes.Buffer
	err  error
}

func (r *reader) Write(p []byte) (int, error) {
	r.gate.Lock()
	defer r.gate.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return 0, r.err
	}
	return r.text.Write(p)
}

func (r *reader) fail(err error) {
	r.mu.Lock()
	r.err = err
	r.mu.Unlock()
}

// lines decodes the text of the log: every line must be whole.
func (r *reader) lines(t *testing.T) (out []map[string]any) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for line := range strings.Lines(r.text.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("the line %q: %v", line, err)
		}
		out = append(out, m)
	}
	return out
}

func newTestLog(t *testing.T, w io.Writer) *Log {
	t.Helper()
	l, err := NewLog(w, "info")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAReaderThatStandsStillBlocksNoCallerAndDropsAreReported(t *testing.T) {
	var r reader
	l := newTestLog(t, &r)
	r.gate.Lock()
	padding := strings.Repeat("x", 1000)
	const written = 4000
	for i := range written { // 4 MB: twice the queue. A blocking log would hang here
		l.Info("ordinary", zap.Int("i", i), zap.String("padding", padding))
	}
	l.Error("an error still fits")
	s := l.Stats()
	if s.Dropped < 1000 || s.QueuedBytes > QueueMax || s.QueuedBytes < QueueOrdinary/2 {
		t.Errorf("got %+v", s)
	}
	r.gate.Unlock()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ordinary, errorsSeen := 0, 0
	var reported float64
	for _, line := range r.lines(t) {
		switch {
		case line["msg"] == "ordinary":
			if line["i"] != float64(ordinary) {
				t.Fatalf("got line %v after %d lines: lines are missing in the middle", line["i"], ordinary)
			}
			ordinary++
		case line["level"] == "error":
			errorsSeen++
		case line["lines"] != nil:
			reported += line["lines"].(float64)
		}
	}
	if ordinary+int(reported) != written || errorsSeen != 1 {
		t.Errorf("got %d lines and %v reported as dropped, want %d together; %d errors, want 1", ordinary, reported, written, errorsSeen)
	}
}

func TestAnAuditLineThatDoesNotFitIsAnError(t *testing.T) {
	var r reader
	l := newTestLog(t, &r)
	r.gate.Lock()
	padding := zap.String("padding", strings.Repeat("x", 10_000))
	for range 1000 {
		l.Info("ordinary", padding)
	}
	accepted := 0
	for ; accepted < 1000; accepted++ { // the share that ordinary lines cannot take
		if err := l.Record("audit", padding); err != nil {
			if !errors.Is(err, ErrLogFull) {
				t.Fatal(err)
			}
			break
		}
	}
	if accepted < 10 || accepted == 1000 {
		t.Errorf("got %d audit lines accepted, want some and not all", accepted)
	}
	r.gate.Unlock()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	audited := 0
	for _, line := range r.lines(t) {
		if line["msg"] == "audit" {
			audited++
		}
	}
	if audited != accepted {
		t.Errorf("got %d audit lines in the log, want the %d accepted ones", audited, accepted)
	}
}

func TestAuditLinesIgnoreTheLevel(t *testing.T) {
	var r reader
	l := newTestLog(t, &r)
	l.Level.SetLevel(zap.ErrorLevel)
	l.Info("not wanted")
	if err := l.Record("audit"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.lines(t); len(got) != 1 || got[0]["msg"] != "audit" {
		t.Errorf("got %v", got)
	}
}

// The reader is gone for a while: a log shipper that restarts.
func TestLinesAfterAFailedWriteAreWrittenAndTheGapIsReported(t *testing.T) {
	var r reader
	l := newTestLog(t, &r)
	r.fail(syscall.EPIPE)
	for range 3 {
		l.Info("lost")
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Dropped != 3 || !errors.Is(s.Err, syscall.EPIPE) {
		t.Errorf("got %+v, want 3 dropped lines and EPIPE", s)
	}
	r.fail(nil)
	l.Info("back")
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := r.lines(t)
	if len(got) != 2 || got[0]["msg"] != "back" || got[1]["lines"] != float64(3) {
		t.Errorf("got %v", got)
	}
}

func TestAStalledLogIsSeenAndDoesNotHoldUpTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unblock := make(chan struct{})
		l := newTestLog(t, writerFunc(func(p []byte) (int, error) { <-unblock; return len(p), nil }))
		l.Info("waits")
		time.Sleep(time.Minute)
		if s := l.Stats(); s.Stalled < 59*time.Second || s.StalledSince.IsZero() {
			t.Errorf("got %+v, want a stall of a minute", s)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		close(unblock)
		<-l.queue.done
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A full pipe whose descriptor another process made non-blocking returns EAGAIN.
func TestANonBlockingPipeLosesNoLine(t *testing.T) {
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	in := os.NewFile(uintptr(fds[0]), "in")
	out := os.NewFile(uintptr(fds[1]), "out") // blocking: not watched by the runtime's poller
	if err := syscall.SetNonblock(fds[1], true); err != nil {
		t.Fatal(err)
	}
	l := newTestLog(t, out)
	const n = 2000
	go func() {
		for i := range n {
			l.Error(fmt.Sprint(i), zap.String("padding", strings.Repeat("x", 500)))
		}
		_ = l.Close(context.Background())
		_ = out.Close()
	}()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(text, []byte("\n")); got != n {
		t.Errorf("got %d lines, want %d", got, n)
	}
}
