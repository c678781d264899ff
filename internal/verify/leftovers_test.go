package verify_test

import (
	"testing"

	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/verify"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// notebook is Leftovers that a test can read: what became of each upload, by id.
type notebook map[string]string

func (n notebook) Remember(destination, bucket, key, uploadID string) verify.Leftover {
	n[uploadID] = "open"
	if destination != testbed.Destination || bucket != testbed.Bucket || key == "" {
		n[uploadID] = "is of " + destination + ", " + bucket + ", " + key
	}
	return page{n, uploadID}
}

// page is the record of one upload in a notebook.
type page struct {
	book notebook
	id   string
}

func (p page) End(gone bool) {
	switch {
	case p.book[p.id] != "open":
	case gone:
		p.book[p.id] = "gone"
	default:
		p.book[p.id] = "left"
	}
}

// A daemon that is killed in the middle of a probe has to find it at its next start.
func TestUploadsOfAProbeAreWrittenDownWhileTheyAreOpen(t *testing.T) {
	w := world(t)
	book := notebook{}
	if _, err := verifierWith(t, w, book).Run(t.Context(), w.Dest, report.RunOptions{}, func(c report.Check) error {
		if c.Code == "BRK-S3-002" {
			for id, state := range book {
				if open := w.Sandbox.MultipartUploads(testbed.Bucket); state == "open" && (len(open) != 1 || open[0].UploadID != id) {
					t.Errorf("%s is written down, %+v is open", id, open)
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(book) == 0 {
		t.Error("nothing was written down")
	}
	for id, state := range book {
		if state != "gone" {
			t.Errorf("upload %s: %s", id, state)
		}
	}

	must(t, w.PutBucketPolicy(t.Context(), withoutWord(w.Docs.Bucket, "s3:AbortMultipartUpload")))
	book = notebook{}
	if _, err := verifierWith(t, w, book).Run(t.Context(), w.Dest, report.RunOptions{}, nil); err != nil {
		t.Fatal(err)
	}
	for _, left := range w.Sandbox.MultipartUploads(testbed.Bucket) {
		if book[left.UploadID] != "left" {
			t.Errorf("upload %s is left, and the book says %q", left.UploadID, book[left.UploadID])
		}
	}
}
