package spool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"go.uber.org/goleak"

	"github.com/brokerd/brokerd/internal/spool"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("SPOOL_TEST_VICTIM"); dir != "" {
		victim(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// store stands in for S3: it keeps what was delivered.
type store struct {
	mu      sync.Mutex
	objects map[string][]byte
	order   []string
	calls   int
	answer  func(e *spool.Entry, call int) error // nil: success
}

func newStore() *store { return &store{objects: map[string][]byte{}} }

func (s *store) Deliver(_ context.Context, e *spool.Entry) (json.RawMessage, error) {
	s.mu.Lock()
	s.calls++
	call, answer := s.calls, s.answer
	s.mu.Unlock()
	if answer != nil {
		if err := answer(e, call); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(e.Section(0, e.Size()))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := e.Header().ID
	if had, ok := s.objects[id]; ok && !bytes.Equal(had, data) {
		return nil, fmt.Errorf("object %s is delivered again with other bytes", id)
	}
	s.objects[id] = data
	s.order = append(s.order, id)
	return json.RawMessage(`{"key":"` + e.Header().Key + `"}`), nil
}

func (s *store) object(id string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.objects[id]
	return b, ok
}

func (s *store) delivered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.order...)
}

// watcher collects events.
type watcher struct {
	mu     sync.Mutex
	events []spool.Event
}

func (w *watcher) Event(e spool.Event) {
	w.mu.Lock()
	w.events = append(w.events, e)
	w.mu.Unlock()
}

func (w *watcher) kinds(k spool.EventKind) (out []spool.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == k {
			out = append(out, e)
		}
	}
	return out
}

// idOf makes the n-th id of a test: later ones are younger.
func idOf(n int) string {
	var id ulid.ULID
	_ = id.SetTime(uint64(1_700_000_000_000 + n))
	id[15] = byte(n)
	id[14] = byte(n >> 8)
	return id.String()
}

func headerOf(n int) spool.Header {
	return spool.Header{
		ID: idOf(n), Destination: "logs", Name: fmt.Sprintf("n%d", n), Key: fmt.Sprintf("logs/n%d", n), UID: 1000, GID: 100,
		Received: time.Date(2026, 1, 2, 3, 4, 5, n, time.UTC), Size: -1, PartSize: 64 << 10,
		ContentType: "text/plain", Metadata: map[string]string{"a": "b"}, Extra: json.RawMessage(`{"x":1}`),
	}
}

// bytesOf makes n bytes that only this seed gives.
func bytesOf(seed, n int) []byte {
	out := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = r.Read(out)
	return out
}

func optionsOf(t testing.TB, st *store) spool.Options {
	t.Helper()
	o := spool.Options{
		Dir: filepath.Join(t.TempDir(), "spool"), AllowVolatile: true,
		Destinations: map[string]spool.Limits{"logs": {}, "other": {}}, Rand: rand.New(rand.NewPCG(1, 2)),
	}
	if st != nil {
		o.Deliver = st.Deliver
	}
	return o
}

func open(t testing.TB, o spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// running runs the spool until the test ends, or stop is called.
func running(t testing.TB, s *spool.Spool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// unstated is a Body whose sender states nothing about it.
type unstated struct{ io.Reader }

func (unstated) Verify(int64, uint32) error { return nil }

// statedBody is a Body whose statement is compared by a test.
type statedBody struct {
	io.Reader
	verify func(length int64) error
}

func (b statedBody) Verify(length int64, _ uint32) error { return b.verify(length) }

func accept(t testing.TB, s *spool.Spool, h spool.Header, data []byte) spool.Status {
	t.Helper()
	st, known, err := s.Accept(context.Background(), h, unstated{bytes.NewReader(data)})
	if err != nil || known {
		t.Fatalf("accepting %s: known %v, %v", h.ID, known, err)
	}
	return st
}

// names are the files below a spool's directory, but for lock and version.
func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	for _, d := range []string{"queue", "dead", "quarantine"} {
		list, err := os.ReadDir(filepath.Join(dir, d))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			out = append(out, d+"/"+e.Name())
		}
	}
	return out
}
