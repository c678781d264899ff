package spool

import (
	"errors"
	"runtime"
	"testing"
)

// disk syncs like the kernel: what is dirty when a sync ends well is on the
// medium; what is dirty when one fails is given up, and the failure is told once.
type disk struct {
	dirty, medium map[string]bool
	begun         chan struct{}
	end           chan error
}

func (d *disk) sync() error {
	d.begun <- struct{}{}
	err := <-d.end
	for name := range d.dirty {
		d.medium[name] = err == nil
	}
	clear(d.dirty)
	return err
}

// Who waits for the next sync may have written before the present one lost
// everything that was dirty.
func TestALostPageIsToldToAllWhoMayHaveWrittenIt(t *testing.T) {
	d := &disk{dirty: map[string]bool{}, medium: map[string]bool{}, begun: make(chan struct{}), end: make(chan error)}
	c := groupSync{sync: d.sync}
	answers := map[string]chan error{"a": make(chan error, 1), "b": make(chan error, 1), "c": make(chan error, 1)}
	write := func(name string) {
		d.dirty[name] = true
		go func() { answers[name] <- c.commit() }()
	}
	write("a")
	<-d.begun
	write("b") // while the sync for a is under way
	for waits := false; !waits; runtime.Gosched() {
		c.mu.Lock()
		waits = c.next != nil
		c.mu.Unlock()
	}
	d.end <- errors.New("input/output error")
	select {
	case <-d.begun: // for b, whose page is gone
		d.end <- nil
		if err := <-answers["b"]; err == nil && !d.medium["b"] {
			t.Error("b was called durable, and the disk has given it up")
		}
	case err := <-answers["b"]:
		if err == nil {
			t.Error("b was called durable, and nothing was synced for it")
		}
	}
	if <-answers["a"] == nil {
		t.Error("a was called durable")
	}
	write("c")
	<-d.begun
	d.end <- nil
	if err := <-answers["c"]; err != nil || !d.medium["c"] {
		t.Errorf("what is written after a failure is never durable: %v", err)
	}
}

// Of a file, what fails once is not trusted again: a write may lie between the
// failure and the question.
func TestAFileThatFailedToSyncStaysFailed(t *testing.T) {
	fails := errors.New("input/output error")
	c := groupSync{final: true, sync: func() (err error) { err, fails = fails, nil; return err }}
	for range 3 {
		if c.commit() == nil {
			t.Error("a file that lost a page was called durable")
		}
	}
}
