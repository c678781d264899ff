package uploader_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/uploader"
)

// revoking is a body in whose middle account B takes the role's permission away.
type revoking struct {
	io.Reader
	after  int64
	revoke func()
}

func (r *revoking) Read(p []byte) (int, error) {
	if r.after -= int64(len(p)); r.after < 0 && r.revoke != nil {
		r.revoke()
		r.revoke = nil
	}
	return r.Reader.Read(p)
}

// The error of a delivery names the upload that stays in the bucket, and no other error does.
func TestAnUploadThatIsLeftIsNamed(t *testing.T) {
	noAbort := sandbox.Fault{Operation: "s3:AbortMultipartUpload", Code: "AccessDenied", Status: 403}
	data := bytesOf(24 << 20)
	for name, c := range map[string]struct {
		faults     []sandbox.Fault
		revoke     bool
		left       bool
		completing bool
	}{
		"access is revoked in the middle": {revoke: true, left: true},
		"the abort is refused": {
			faults: []sandbox.Fault{noAbort, {Operation: "s3:CompleteMultipartUpload", Code: "AccessDenied", Status: 403}}, left: true},
		"the abort succeeds": {faults: []sandbox.Fault{{Operation: "s3:CompleteMultipartUpload", Code: "AccessDenied", Status: 403}}},
		"the completion gets no answer": {
			faults: []sandbox.Fault{{Operation: "s3:CompleteMultipartUpload", Code: "BadGateway", Status: 502}}, left: true, completing: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := rigged(t)
			r.Sandbox.SetFaults(c.faults)
			var body io.Reader = bytes.NewReader(data)
			if c.revoke {
				body = &revoking{Reader: body, after: 16 << 20, revoke: func() {
					if err := r.PutBucketPolicy(t.Context(), `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":`+
						`["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::`+testbed.Bucket+`/*"}]}`); err != nil {
						t.Error(err)
					}
				}}
			}
			_, err := r.put(t.Context(), t, "a.log", data, newBody(body), -1)
			if err == nil {
				t.Fatal("it was delivered")
			}
			var left *uploader.UnfinishedError
			if got := errors.As(err, &left); got != c.left {
				t.Fatalf("an upload is named: %t, want %t: %v", got, c.left, err)
			}
			open := r.Sandbox.MultipartUploads(testbed.Bucket)
			e := intake.Classify(err)
			if !c.left {
				if len(open) != 0 || e.Metadata[reason.UnfinishedUploadID] != "" {
					t.Errorf("open: %+v; metadata %v", open, e.Metadata)
				}
				return
			}
			if len(open) != 1 || open[0].Key != left.Key || open[0].UploadID != left.UploadID || left.Completing != c.completing {
				t.Errorf("named %+v, and the bucket has %+v", left, open)
			}
			for key, want := range map[string]string{
				reason.UnfinishedBucket: testbed.Bucket, reason.UnfinishedKey: open[0].Key, reason.UnfinishedUploadID: open[0].UploadID,
			} {
				if e.Metadata[key] != want {
					t.Errorf("metadata %s is %q, want %q", key, e.Metadata[key], want)
				}
			}
			if c.revoke && e.Reason != reason.AccessDenied {
				t.Errorf("reason %s, want %s", e.Reason, reason.AccessDenied)
			}
		})
	}
}
