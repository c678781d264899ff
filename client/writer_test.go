package client

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

func numbered(_ time.Time, seq uint64) string { return fmt.Sprintf("%06d", seq) }

func (f *fake) all() (names []string, joined string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n := range f.bodies {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		joined += f.bodies[n]
	}
	return names, joined
}

func TestWritesBecomeObjectsAndNoneIsSplit(t *testing.T) {
	f := &fake{}
	w := serveFake(t, f).NewWriter(t.Context(), "logs", numbered, WithRotateSize(100))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if _, err := fmt.Fprintf(w, "<%d %d %s>", g, i, strings.Repeat("x", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := w.Write([]byte("<" + strings.Repeat("y", 500) + ">")); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	names, joined := f.all()
	if strings.Count(joined, "<") != 401 || len(names) < 50 {
		t.Errorf("%d writes in %d objects", strings.Count(joined, "<"), len(names))
	}
	for _, n := range names {
		b := f.bodies[n]
		if b[0] != '<' || b[len(b)-1] != '>' || len(b) > 100 && strings.Count(b, "<") > 1 {
			t.Errorf("object %s is %q", n, b)
		}
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, ErrWriterClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestWholeLines(t *testing.T) {
	f := &fake{}
	w := serveFake(t, f).NewWriter(t.Context(), "logs", numbered, WithRotateSize(64), WithWholeLines())
	text := strings.Repeat("a line of the log\n", 100)
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{strings.NewReader(text)}, make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	names, joined := f.all()
	if joined != text || len(names) < 10 {
		t.Errorf("%d bytes in %d objects", len(joined), len(names))
	}
	for _, n := range names {
		if b := f.bodies[n]; !strings.HasSuffix(b, "\n") || len(b) > 64 {
			t.Errorf("object %s is %q", n, b)
		}
	}
}

func TestFlushSaysThatAllIsDelivered(t *testing.T) {
	f := &fake{answers: []error{busy}}
	w := serveFake(t, f).NewWriter(t.Context(), "logs", numbered, WithObjectOptions(WithContentType("text/plain")))
	slog.New(slog.NewJSONHandler(w, nil)).Info("hello")
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, joined := f.all(); !strings.Contains(joined, `"hello"`) {
		t.Errorf("got %q", joined)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnObjectEndsWithItsAge(t *testing.T) {
	f := &fake{}
	w := serveFake(t, f).NewWriter(t.Context(), "logs", numbered, WithRotateEvery(time.Millisecond))
	if _, err := w.Write([]byte("old")); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	for w.seq == 0 || len(w.queue) > 0 {
		w.wait()
	}
	w.mu.Unlock()
	if _, joined := f.all(); joined != "old" {
		t.Errorf("got %q", joined)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestNothingTakenIsLostInSilence(t *testing.T) {
	f := &fake{answers: []error{answer(codes.PermissionDenied, "PEER_NOT_ALLOWED")}}
	w := serveFake(t, f).NewWriter(t.Context(), "logs", numbered, WithRotateSize(4))
	taken := ""
	for i := range 1000 {
		p := fmt.Sprintf("%04d", i)
		if _, err := w.Write([]byte(p)); err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Reason != "PEER_NOT_ALLOWED" {
				t.Fatalf("got %v", err)
			}
			break
		}
		taken += p
	}
	var left *UnsentError
	if err := w.Close(); !errors.As(err, &left) {
		t.Fatalf("Close: %v", err)
	}
	got := ""
	for _, o := range left.Objects {
		got += string(o.Data)
	}
	if got != taken || taken == "" {
		t.Errorf("took %q, gave back %q", taken, got)
	}
}

func TestAFullWriterDoesNotWaitForADaemonThatDoesNotAnswer(t *testing.T) {
	c, err := Dial(t.TempDir() + "/nobody")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	w := c.NewWriter(t.Context(), "logs", numbered, WithRotateSize(1), WithPending(2), WithObjectOptions(WithRetry(0)))
	for err == nil {
		_, err = w.Write([]byte("x"))
	}
	var e *Error
	if !errors.As(err, &e) || e.Code != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	var left *UnsentError
	if err := w.Close(); !errors.As(err, &left) || len(left.Objects) != 3 {
		t.Errorf("Close: %v", err)
	}
}
