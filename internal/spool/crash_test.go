package spool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/spool"
)

// The life that is cut short: every transition of the state diagram happens in it.
const (
	plain     = iota + 1 // delivered at once
	buried               // dead, and brought back by an operator
	parks                // parks its destination once
	parts                // multipart: fails once in the middle
	dropped              // dead, and dropped by an operator
	again                // retried once
	journeys  = again
	refused   = 90 // a body that fails
	lateComer = 91 // accepted in the second life
)

// life is what the world outside remembers of the spool across crashes.
type life struct {
	fs        *modelFS
	acked     map[int]bool
	failed    map[int]bool // refused, before any crash
	droppedBy map[int]bool // an operator asked for it
	settled   map[int]bool // delivered, and said so
	objects   map[string][]byte
	delivered map[string]int
	tries     map[string]int
	uploads   map[string]string // of parts: what the journal said
}

func newLife(fs *modelFS) *life {
	return &life{
		fs: fs, acked: map[int]bool{}, failed: map[int]bool{}, droppedBy: map[int]bool{}, settled: map[int]bool{},
		objects: map[string][]byte{}, delivered: map[string]int{}, tries: map[string]int{}, uploads: map[string]string{},
	}
}

func (l *life) options() spool.Options {
	return spool.Options{
		Dir: "/spool", FS: l.fs, Deliver: l.deliver, Workers: 1, Rand: rand.New(rand.NewPCG(1, 2)),
		Destinations: map[string]spool.Limits{"logs": {}, "other": {}},
	}
}

func dataOf(n int) []byte { return bytesOf(n, 70_000+n) }

func lifeHeader(n int) spool.Header {
	h := headerOf(n)
	h.IdempotencyKey = fmt.Sprint("key-", n)
	if n == parks {
		h.Destination = "other"
	}
	return h
}

// deliver runs in one worker.
func (l *life) deliver(_ context.Context, e *spool.Entry) (json.RawMessage, error) {
	id := e.Header().ID
	data, err := io.ReadAll(e.Section(0, e.Size()))
	if err != nil {
		return nil, err
	}
	first := l.tries[id] == 0
	l.tries[id]++
	switch {
	case id == idOf(parts):
		if err := l.multipart(e, first); err != nil {
			return nil, err
		}
	case id == idOf(dropped):
		return nil, &awserr.Failure{Disposition: awserr.Dead, Reason: "INVALID", Err: errors.New("never")}
	case !first:
	case id == idOf(buried):
		return nil, &awserr.Failure{Disposition: awserr.Dead, Reason: "INVALID", Err: errors.New("not yet")}
	case id == idOf(parks):
		return nil, &awserr.Failure{Disposition: awserr.Park, Reason: "ACCESS_DENIED", Err: errors.New("denied")}
	case id == idOf(again):
		return nil, errors.New("network")
	}
	if l.fs.isCrashed() {
		return nil, errCrashed // a stopped machine delivers nothing
	}
	l.objects[id] = data
	l.delivered[id]++
	return json.RawMessage(`{}`), nil
}

// multipart begins an upload, sends a part, fails the first time, and goes on
// with the upload that the journal knows.
func (l *life) multipart(e *spool.Entry, first bool) error {
	id, _ := e.UploadID()
	if known := l.uploads["sent"]; known != "" && id != known {
		return fmt.Errorf("a part was sent to %q, the journal knows %q", known, id)
	}
	if id == "" {
		id = fmt.Sprint("upload-", l.tries[e.Header().ID])
		if err := e.BeginUpload(id, 64<<10); err != nil {
			return err
		}
	}
	if l.fs.isCrashed() {
		return errCrashed
	}
	l.uploads["sent"] = id
	if err := e.PartSent(1, "etag-1", 7); err != nil {
		return err
	}
	if first {
		return errors.New("the connection broke")
	}
	return nil
}

// live goes through all of it, until the end or the crash.
func (l *life) live(t *testing.T) error {
	s, err := spool.Open(l.options())
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	for n := plain; n <= journeys; n++ {
		_ = l.accept(t, s, n) // l remembers what came of it
	}
	_, _, err = s.Accept(t.Context(), lifeHeader(refused), unstated{failing{bytes.NewReader(dataOf(refused)), io.ErrUnexpectedEOF}})
	if err == nil {
		t.Error("a broken body was accepted")
	}
	l.failed[refused] = true
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	defer func() { cancel(); <-done }()

	settle := func() {
		// Everything takes its time, which is virtual; a crash is noticed at once.
		select {
		case <-l.fs.crashed:
		case <-time.After(time.Hour):
		}
	}
	settle()
	l.droppedBy[dropped] = true
	_ = s.Drop(t.Context(), idOf(dropped), false)
	_, _ = s.Retry("", idOf(buried))
	settle()
	for n := plain; n <= journeys; n++ {
		if l.fs.isCrashed() {
			break
		}
		if st, ok := s.Status(idOf(n)); ok && st.State == spool.Delivered {
			l.settled[n] = true
		}
	}
	return nil
}

func (l *life) accept(t *testing.T, s *spool.Spool, n int) error {
	_, known, err := s.Accept(t.Context(), lifeHeader(n), unstated{bytes.NewReader(dataOf(n))})
	switch {
	case err == nil && known != l.acked[n]:
		t.Errorf("object %d: known %v, acknowledged before %v", n, known, l.acked[n])
	case err == nil:
		l.acked[n] = true
	case !l.fs.isCrashed():
		l.failed[n] = true
	}
	return err
}

// check opens the spool on what is left and looks whether the promises held.
func (l *life) check(t *testing.T, fs *modelFS) {
	l.fs = fs
	before := map[string]int{}
	for id, n := range l.delivered {
		before[id] = n
	}
	s, err := spool.Open(l.options())
	if err != nil {
		t.Errorf("it does not open: %v", err)
		return
	}
	defer func() { _ = s.Close() }()
	if q := append(s.Recovery().Quarantined, s.Recovery().Unreadable...); len(q) > 0 {
		t.Errorf("quarantined: %v", q)
	}
	for n := plain; n <= journeys; n++ {
		st, ok := s.Status(idOf(n))
		if l.acked[n] && !ok && !l.droppedBy[n] {
			t.Errorf("object %d was acknowledged and is gone", n)
		}
		if l.failed[n] && ok {
			t.Errorf("object %d was refused and is %s", n, st.State)
		}
		if l.acked[n] && !l.droppedBy[n] {
			if err := l.accept(t, s, n); err != nil {
				t.Errorf("object %d: the same again: %v", n, err)
			}
		}
	}
	if _, ok := s.Status(idOf(refused)); ok {
		t.Error("a refused body became an object")
	}
	if err := l.accept(t, s, lateComer); err != nil {
		t.Errorf("nothing new is taken: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	time.Sleep(time.Hour)
	_, _ = s.Retry("", idOf(buried))
	time.Sleep(time.Hour)
	cancel()
	<-done
	for n := plain; n <= lateComer; n++ {
		id := idOf(n)
		if b, ok := l.objects[id]; ok && !bytes.Equal(b, dataOf(n)) {
			t.Errorf("object %d was delivered with other bytes", n)
		}
		if l.acked[n] && n != dropped && l.objects[id] == nil {
			st, _ := s.Status(id)
			t.Errorf("object %d was never delivered: %+v", n, st)
		}
		if l.settled[n] && l.delivered[id] > before[id] {
			t.Errorf("object %d was delivered again after its receipt", n)
		}
		if l.delivered[id] > 2 {
			t.Errorf("object %d was delivered %d times by one crash", n, l.delivered[id])
		}
	}
	for name := range fs.names("/spool/queue") {
		t.Errorf("left in the queue: %s", name)
	}
}

func (m *modelFS) names(dir string) map[string]modelNode {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.node(dir)
	if err != nil {
		return nil
	}
	return n.dir.now
}

func TestACrashAtEveryOperationLosesNothing(t *testing.T) {
	var whole *modelFS
	synctest.Test(t, func(t *testing.T) {
		whole = newModelFS() // its channel belongs to the bubble
		l := newLife(whole)
		if err := l.live(t); err != nil {
			t.Fatal(err)
		}
		if len(l.settled) != journeys-1 {
			t.Fatalf("the life is not whole: settled %v", l.settled)
		}
		l.check(t, whole.reboot(loseNothing, nil))
	})
	total := whole.count()
	t.Logf("%d operations", total)
	for k := 1; k <= total; k += stride() {
		for v := range 6 {
			name := fmt.Sprintf("operation %d (%s), loss %d", k, whole.log[k-1], v)
			ok := t.Run("", func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { crashOnce(t, k, v) })
			})
			if !ok {
				t.Fatal(name)
			}
		}
	}
}

// crashOnce stops the machine at operation k, and in half of the variants once
// more while it recovers.
func crashOnce(t *testing.T, k, v int) {
	r := rand.New(rand.NewPCG(uint64(k), uint64(v)))
	fs := newModelFS()
	fs.crashAt = k
	l := newLife(fs)
	_ = l.live(t)
	how := loss(min(v, int(loseSome)))
	fs = fs.reboot(how, r)
	if v > 3 {
		fs.crashAt = 1 + r.IntN(40)
		l.fs = fs
		if s, err := spool.Open(l.options()); err == nil {
			_ = s.Close()
		}
		fs = fs.reboot(how, r)
	}
	l.check(t, fs)
}

func TestAFaultAtEveryOperationIsSaidAndSurvived(t *testing.T) {
	var whole *modelFS
	synctest.Test(t, func(t *testing.T) {
		whole = newModelFS()
		_ = newLife(whole).live(t)
	})
	errnos := []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EMFILE, syscall.EROFS}
	for k := 1; k <= whole.count(); k += stride() {
		for i, errno := range errnos {
			// Once, and as a condition that lasts: a disk stays full for a while.
			for _, lasts := range []int{1, 12} {
				if lasts > 1 && (k+i)%5 != 0 {
					continue // a fifth of these is enough to meet every operation
				}
				name := fmt.Sprintf("operation %d (%s), %v, %d times", k, whole.log[k-1], errno, lasts)
				ok := t.Run("", func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { faultOnce(t, k, lasts, errno) })
				})
				if !ok {
					t.Fatal(name)
				}
			}
		}
	}
}

func faultOnce(t *testing.T, k, lasts int, errno syscall.Errno) {
	fs := newModelFS()
	fs.fault = func(op int, what, name string) error {
		if op >= k && op < k+lasts {
			return pathError{what, name, errno}
		}
		return nil
	}
	l := newLife(fs)
	s, err := spool.Open(l.options())
	if err != nil {
		said(t, err, errno)
		if s, err = spool.Open(l.options()); err != nil && lasts == 1 {
			t.Fatalf("it does not open when the fault is over: %v", err)
		} else if err != nil {
			return
		}
	}
	for n := plain; n <= journeys; n++ {
		if err := l.accept(t, s, n); err != nil {
			said(t, err, errno)
			if _, ok := s.Status(idOf(n)); ok {
				t.Errorf("object %d was refused and is known", n)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	time.Sleep(time.Hour)
	// A burial that the fault prevented is followed by another attempt, which succeeds.
	if _, err := s.Retry("", idOf(buried)); err != nil && l.acked[buried] && !errors.Is(err, spool.ErrState) {
		said(t, err, errno)
		for range lasts { // an operator tries until the condition has ended
			_, _ = s.Retry("", idOf(buried))
		}
	}
	if err := s.Drop(t.Context(), idOf(dropped), false); err != nil && l.acked[dropped] {
		said(t, err, errno)
	}
	time.Sleep(2 * time.Hour)
	cancel()
	<-done
	for n := plain; n <= journeys; n++ {
		if l.acked[n] && n != dropped && l.objects[idOf(n)] == nil {
			st, _ := s.Status(idOf(n))
			t.Errorf("object %d waits though the fault is over: %+v", n, st)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	fs.fault = nil
	l.droppedBy[dropped] = true
	l.check(t, fs.reboot(loseNothing, nil))
}

type pathError struct {
	op, name string
	err      error
}

func (e pathError) Error() string { return e.op + " " + e.name + ": " + e.err.Error() }
func (e pathError) Unwrap() error { return e.err }

// said checks that an error has the right class and holds the system's own.
func said(t *testing.T, err error, errno syscall.Errno) {
	t.Helper()
	var io *spool.IOError
	var full *spool.FullError
	switch {
	case !errors.Is(err, errno):
		t.Errorf("%v is not in the chain of %v", errno, err)
	case !errors.As(err, &io):
		t.Errorf("no operation in %v", err)
	case errors.As(err, &full) != (errno == syscall.ENOSPC || errno == syscall.EDQUOT):
		t.Errorf("fullness is misread: %v", err)
	}
}

// stride leaves operations out where time is short; the whole is the proof.
func stride() int {
	if testing.Short() {
		return 7
	}
	return 1
}
