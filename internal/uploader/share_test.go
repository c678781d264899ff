package uploader_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
)

// paused is a body whose sender sends some bytes and then pauses.
type paused struct {
	io.Reader
	once        sync.Once
	waiting     chan struct{} // closed when the sender pauses
	interrupted chan struct{}
	stop        sync.Once
	err         error
}

func pausedAfter(n int) *paused {
	return &paused{Reader: bytes.NewReader(make([]byte, n)), waiting: make(chan struct{}), interrupted: make(chan struct{})}
}

func (p *paused) Read(dst []byte) (int, error) {
	if n, _ := p.Reader.Read(dst); n > 0 {
		return n, nil
	}
	p.once.Do(func() { close(p.waiting) })
	<-p.interrupted
	return 0, p.err
}

func (p *paused) Interrupt(err error) { p.stop.Do(func() { p.err = err; close(p.interrupted) }) }

func (p *paused) Verify(int64, uint32) error { return nil }

// whole is a body that is there.
type whole struct{ io.Reader }

func (whole) Interrupt(error) {}

func (whole) Verify(int64, uint32) error { return nil }

func (r *rig) as(ctx context.Context, p quota.Party, body uploader.Body, data []byte) error {
	slot, err := r.budget.Admit(p)
	if err != nil {
		return err
	}
	defer slot.Release()
	_, err = r.deliver(ctx, uploader.Object{
		ID: ulid.Make().String(), Name: "n", Received: time.Now(), Size: -1, Party: p,
	}, statedBody{body, data})
	return err
}

// Four senders of one user send 66 kB and then a byte now and then.
func TestSlowUploadsOfOneUserDoNotDelayAnother(t *testing.T) {
	r := rigged(t)
	r.budget.SetParties(2)
	bob, alice := quota.Party{UID: 2}, quota.Party{UID: 1}
	ctx, cancel := context.WithCancel(t.Context())
	var slow sync.WaitGroup
	var bodies []*paused
	for range 8 {
		b := pausedAfter(66_000)
		bodies = append(bodies, b)
		slow.Go(func() { _ = r.as(ctx, bob, b, nil) })
	}
	for used := int64(0); used < 3*8<<20; used, _ = r.budget.Used() { // his share is full
		select {
		case <-t.Context().Done():
			t.Fatal("the slow uploads did not begin")
		case <-time.After(time.Millisecond):
		}
	}
	data := make([]byte, 9<<20)
	began := time.Now()
	if err := r.as(t.Context(), alice, whole{bytes.NewReader(data)}, data); err != nil {
		t.Errorf("alice's upload: %v", err)
	}
	t.Logf("alice waited %s with %d slow uploads of bob", time.Since(began), len(bodies))
	if back := r.budget.PartMemory().CalledBack; back != 0 {
		t.Errorf("%d parts of bob were called back, although alice had room", back)
	}
	cancel()
	for _, b := range bodies {
		b.Interrupt(context.Canceled)
	}
	slow.Wait()
}

// Several users hold all part memory, each within the share of one.
func TestSlowPartsGiveTheirMemoryBack(t *testing.T) {
	r := rigged(t)
	r.budget.SetParties(6)
	failed := make(chan error, 4)
	var slow []*paused
	for uid := range uint32(4) {
		b := pausedAfter(66_000)
		slow = append(slow, b)
		go func() { failed <- r.as(t.Context(), quota.Party{UID: 10 + uid}, b, nil) }()
	}
	for _, b := range slow {
		<-b.waiting
	}
	data := make([]byte, 9<<20)
	if err := r.as(t.Context(), quota.Party{UID: 1}, whole{bytes.NewReader(data)}, data); err != nil {
		t.Errorf("the upload of another user: %v", err)
	}
	err := <-failed
	var e *reason.Error
	if !errors.As(err, &e) || e.Reason != reason.TooManyUploads || e.RetryAfter <= 0 || !strings.Contains(err.Error(), "nothing was stored") {
		t.Errorf("the slow upload ended with %v, want TOO_MANY_UPLOADS with a retry time", err)
	}
	for _, b := range slow {
		b.Interrupt(context.Canceled)
	}
	for range 3 {
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("another slow upload ended with %v, want it left alone", err)
		}
	}
	if ups := r.Sandbox.MultipartUploads(r.Bucket); len(ups) != 0 {
		t.Errorf("a multipart upload is left: %s", ups[0].Key)
	}
}

// 192 senders of one user send a byte each.
func TestSlotsOfOneUserLeaveRoomForAnother(t *testing.T) {
	r := rigged(t)
	r.budget.SetParties(2)
	for i := range r.budget.MaxUploads() {
		slot, err := r.budget.Admit(quota.Party{UID: 2})
		if errors.Is(err, uploader.ErrBusy) {
			if i < r.budget.MaxUploads()/2 {
				t.Errorf("bob was refused after %d uploads", i)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer slot.Release()
	}
	if err := r.as(t.Context(), quota.Party{UID: 1}, whole{strings.NewReader("x")}, []byte("x")); err != nil {
		t.Errorf("alice's upload: %v", err)
	}
}
