//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// revokeAfter is the number of MiB after which account B revokes. The daemon creates the
// multipart upload before it takes a second part, and holds a few MiB at most on the way.
const revokeAfter = 40

// feed writes a stream until the upload has failed. In its middle the role loses its rights
// on the bucket.
func (r *running) feed(t *testing.T, w io.Writer) {
	more := bytes.Repeat([]byte{'x'}, 1<<20)
	for n := 0; ; n++ {
		if n == revokeAfter {
			if err := r.PutBucketPolicy(t.Context(), `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",`+
				`"Action":["s3:PutObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::`+testbed.Bucket+`/*"}]}`); err != nil {
				t.Error(err)
				return
			}
		}
		if _, err := w.Write(more); err != nil {
			return
		}
	}
}

// Account B revokes access in the middle of a stream. The caller learns which multipart
// upload it leaves: by the library, by brokerctl's text, and by its JSON line.
func TestARevokedStreamNamesItsUnfinishedUpload(t *testing.T) {
	named := func(t *testing.T, r *running, bucket, key, id string) {
		t.Helper()
		open := r.Sandbox.MultipartUploads(testbed.Bucket)
		if len(open) != 1 || bucket != testbed.Bucket || key != open[0].Key || id != open[0].UploadID {
			t.Errorf("named %s of s3://%s/%s; the bucket has %+v", id, bucket, key, open)
		}
	}

	t.Run("library", func(t *testing.T) {
		r := start(t)
		pr, pw := io.Pipe()
		var fed sync.WaitGroup
		fed.Go(func() { r.feed(t, pw) })
		_, err := r.client.Upload(t.Context(), testbed.Destination, "stream.log", pr)
		_ = pr.Close()
		fed.Wait()
		left := client.Unfinished(err)
		var e *client.Error
		if left == nil || !errors.As(err, &e) || e.Reason != "ACCESS_DENIED" || !strings.Contains(err.Error(), left.UploadID) {
			t.Fatalf("left %+v by %v", left, err)
		}
		named(t, r, left.Bucket, left.Key, left.UploadID)
	})

	t.Run("brokerctl", func(t *testing.T) {
		r := start(t)
		cmd := r.ctl("upload", "-d", testbed.Destination, "--name", "stream.log", "-o", "json", "-")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var fed sync.WaitGroup
		fed.Go(func() { r.feed(t, in) })
		err = cmd.Wait()
		fed.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("%v, want exit code 1", err)
		}
		var line struct {
			Reason     string `json:"reason"`
			Unfinished struct {
				Bucket, Key string
				UploadID    string `json:"upload_id"`
			} `json:"unfinished"`
		}
		if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Reason != "ACCESS_DENIED" {
			t.Fatalf("%v: %s", err, out.String())
		}
		named(t, r, line.Unfinished.Bucket, line.Unfinished.Key, line.Unfinished.UploadID)
		if !strings.Contains(errs.String(), line.Unfinished.UploadID) || !strings.Contains(errs.String(), line.Unfinished.Key) {
			t.Errorf("standard error does not name it: %s", errs.String())
		}
	})

	// A handed-over file takes another way through the daemon, and back.
	t.Run("a file", func(t *testing.T) {
		r := start(t)
		r.Sandbox.SetFaults([]sandbox.Fault{
			{Operation: "s3:AbortMultipartUpload", Code: "AccessDenied", Status: 403},
			{Operation: "s3:CompleteMultipartUpload", Code: "AccessDenied", Status: 403},
		})
		file := t.TempDir() + "/big.log"
		if out, err := exec.Command("truncate", "-s", "20M", file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		_, err := r.client.UploadFile(t.Context(), testbed.Destination, "big.log", file)
		left := client.Unfinished(err)
		if left == nil {
			t.Fatalf("no upload is named: %v", err)
		}
		named(t, r, left.Bucket, left.Key, left.UploadID)
	})
}
