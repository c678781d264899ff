package uploader_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/uploader"
)

// remembering returns a rig whose uploader has an OrphanLog, and its directory.
func remembering(t *testing.T) (*rig, string) {
	t.Helper()
	r := rigged(t)
	dir := filepath.Join(t.TempDir(), "streams")
	left, err := uploader.OpenOrphanLog(dir, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Options{Config: r.Config, HTTPClient: r.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	if r.up, err = uploader.New(uploader.Options{Config: r.Config, Sessions: b, Budget: r.budget, Host: "host-1", Orphans: left}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.up.Close)
	return r, dir
}

func written(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A failed abort is retried while the daemon runs: parts cost money until they are
// deleted.
func TestAnAbortThatFailedIsTriedAgain(t *testing.T) {
	r, dir := remembering(t)
	noAbort := sandbox.Fault{Operation: "s3:AbortMultipartUpload", Code: "AccessDenied", Status: 403}
	data := bytesOf(12 << 20)

	t.Run("of a stream", func(t *testing.T) {
		r.Sandbox.SetFaults([]sandbox.Fault{noAbort, {Operation: "s3:CompleteMultipartUpload", Code: "AccessDenied", Status: 403}})
		if _, err := r.put(t.Context(), t, "a.log", data, newBody(bytes.NewReader(data)), -1); err == nil {
			t.Fatal("it was delivered")
		}
		r.stillLeft(t, dir)
	})
	t.Run("of an object at rest that was there already", func(t *testing.T) {
		r.Sandbox.SetFaults(nil)
		f, obj := fileOf(12<<20), r.accepted(t)
		if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err != nil {
			t.Fatal(err)
		}
		f.id = ""
		r.Sandbox.SetFaults([]sandbox.Fault{noAbort})
		if s, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err != nil || !s.Existed {
			t.Fatalf("%+v, %v", s, err)
		}
		r.stillLeft(t, dir)
	})
	t.Run("of an object at rest that cannot be written down", func(t *testing.T) {
		r.Sandbox.SetFaults([]sandbox.Fault{noAbort})
		f := &unwritable{file: fileOf(12 << 20), begin: errors.New("the disk is full")}
		if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, r.accepted(t), f); err != nil {
			t.Fatal(err)
		}
		r.stillLeft(t, dir)
	})
}

// stillLeft asserts that one upload waits for its abort, and that a sweep aborts it once
// S3 allows that.
func (r *rig) stillLeft(t *testing.T, dir string) {
	t.Helper()
	r.up.Sweep(t.Context())
	if n, m := len(r.Sandbox.MultipartUploads(testbed.Bucket)), written(t, dir); n != 1 || m != 1 {
		t.Fatalf("%d multipart uploads are left, %d are written down", n, m)
	}
	r.Sandbox.SetFaults(nil)
	r.up.Sweep(t.Context())
	if n, m := len(r.Sandbox.MultipartUploads(testbed.Bucket)), written(t, dir); n != 0 || m != 0 {
		t.Errorf("%d multipart uploads are left, %d are written down", n, m)
	}
}

// The uploads of another daemon are not orphans.
func TestTheDirectoryOfAnotherDaemonIsLeftAlone(t *testing.T) {
	r, dir := remembering(t)
	if l, err := uploader.OpenOrphanLog(dir, zap.NewNop()); err == nil {
		t.Fatalf("taken twice: %v", l)
	}
	r.up.Close()
	if _, err := uploader.OpenOrphanLog(dir, zap.NewNop()); err != nil {
		t.Errorf("it is free: %v", err)
	}
}
