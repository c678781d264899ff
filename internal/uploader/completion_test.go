package uploader_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/uploader"
)

// S3 may still complete an upload after the response to the completion was lost. An
// abort at that moment would destroy the object. The sweeper aborts the upload later.
func TestACompletionWithoutAResponseIsNotAborted(t *testing.T) {
	r, dir := remembering(t)
	r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:CompleteMultipartUpload", Reset: "before-body"}})
	data := bytesOf(12 << 20)
	_, err := r.put(t.Context(), t, "a.log", data, newBody(bytes.NewReader(data)), -1)
	var failed *uploader.Error
	if !errors.As(err, &failed) || failed.Reason != reason.Network {
		t.Fatalf("got %v, want %s", err, reason.Network)
	}
	r.Sandbox.SetFaults(nil)
	r.up.Sweep(t.Context())
	if n := r.Sandbox.CountCalls("s3", "AbortMultipartUpload"); n != 0 {
		t.Errorf("%d aborts within the time that S3 may take", n)
	}
	if n, m := len(r.Sandbox.MultipartUploads(testbed.Bucket)), written(t, dir); n != 1 || m != 1 {
		t.Errorf("%d multipart uploads are left and %d are recorded, want 1 and 1", n, m)
	}
}

// An object that cannot fit into 10,000 parts is refused before its first byte is sent.
func TestAnObjectOfTooManyPartsIsRefusedAtOnce(t *testing.T) {
	r := rigged(t)
	data := bytesOf(6 << 20)
	_, err := r.put(t.Context(), t, "huge", data, newBody(bytes.NewReader(data)), 1<<50)
	var refused *reason.Error
	if !errors.As(err, &refused) || refused.Reason != reason.ObjectTooLarge {
		t.Errorf("got %v, want %s", err, reason.ObjectTooLarge)
	}
	if n := r.Sandbox.CountCalls("s3", "CreateMultipartUpload"); n != 0 {
		t.Errorf("%d uploads were created", n)
	}
}
