package uploader_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/uploader"
)

// interrupted is an object whose parts S3 has, before completion.
func (r *rig) interrupted(t *testing.T) (*file, uploader.Object) {
	t.Helper()
	f, obj := fileOf(23<<20), r.accepted(t)
	r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:CompleteMultipartUpload", Code: "AccessDenied", Status: 403}})
	if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err == nil || len(f.parts) != 5 {
		t.Fatalf("not interrupted: %v", err)
	}
	r.Sandbox.SetFaults(nil)
	return f, obj
}

// An earlier try's upload that cannot be completed would fail forever, so it is
// replaced.
func TestWhatAnEarlierTryLeftIsGivenUpWhenItMakesNoObject(t *testing.T) {
	for name, spoil := range map[string]func(f *file){
		"S3 knows a part by another ETag": func(f *file) { f.parts[2] = "d41d8cd98f00b204e9800998ecf8427e" },
		"a part has other bytes":          func(f *file) { f.parts[2], f.crcs[2] = f.parts[3], f.crcs[3] },
	} {
		t.Run(name, func(t *testing.T) {
			r := rigged(t)
			f, obj := r.interrupted(t)
			spoil(f)
			if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err != nil {
				t.Fatal(err)
			}
			if f.begun != 2 {
				t.Errorf("%d uploads were begun", f.begun)
			}
			r.holds(t, f.data)
		})
	}
}

// The destination's key changed after the upload was created: its object would be
// encrypted under the old key.
func TestAnUploadThatWasBegunUnderAnotherKeyIsBegunAnew(t *testing.T) {
	r := rigged(t)
	f, obj := fileOf(12<<20), r.accepted(t)
	open := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` +
		r.Dest.Role + `"},"Action":"s3:*","Resource":"arn:aws:s3:::` + testbed.Bucket + `/*"}]}`
	if _, err := r.S3.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(testbed.Bucket), Policy: &open}); err != nil {
		t.Fatal(err)
	}
	other, err := r.S3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(testbed.Bucket), Key: &obj.Key,
		ServerSideEncryption: types.ServerSideEncryptionAes256, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
		ChecksumType: types.ChecksumTypeFullObject})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.BeginUpload(*other.UploadId, testSegment); err != nil {
		t.Fatal(err)
	}
	s, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f)
	if err != nil || s.KMSKeyARN != r.KeyARN {
		t.Fatalf("%+v, %v", s, err)
	}
	r.holds(t, f.data)
}

// unwritable is a file on a disk that takes no journal.
type unwritable struct {
	*file
	begin, part, forget error
}

func (u *unwritable) BeginUpload(id string, partSize int64) error {
	if u.begin != nil {
		return u.begin
	}
	return u.file.BeginUpload(id, partSize)
}

func (u *unwritable) PartSent(n int32, etag string, crc uint32) error {
	if u.part != nil {
		return u.part
	}
	return u.file.PartSent(n, etag, crc)
}

func (u *unwritable) ForgetUpload() error {
	if u.forget != nil {
		return u.forget
	}
	return u.file.ForgetUpload()
}

// Deliveries make room on a full disk, so a delivery must not depend on a record that it
// writes.
func TestAFullDiskStopsNoDelivery(t *testing.T) {
	t.Run("an upload cannot be written down", func(t *testing.T) {
		r := rigged(t)
		f := &unwritable{file: fileOf(23 << 20), begin: syscall.ENOSPC}
		s, err := r.up.PutAtRest(t.Context(), testbed.Destination, r.accepted(t), f)
		if err != nil || s.Parts != 1 {
			t.Fatalf("%+v, %v", s, err)
		}
		r.holds(t, f.data)
	})
	t.Run("a part cannot be written down", func(t *testing.T) {
		r := rigged(t)
		f := &unwritable{file: fileOf(23 << 20), part: syscall.ENOSPC}
		if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, r.accepted(t), f); err != nil {
			t.Fatal(err)
		}
		r.holds(t, f.data)
	})
	t.Run("an upload that is gone cannot be forgotten", func(t *testing.T) {
		r := rigged(t)
		f := &unwritable{file: fileOf(23 << 20), forget: syscall.ENOSPC}
		if err := f.BeginUpload("an-upload-that-a-lifecycle-rule-ended", testSegment); err != nil {
			t.Fatal(err)
		}
		if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, r.accepted(t), f); err != nil {
			t.Fatal(err)
		}
		r.holds(t, f.data)
	})
	t.Run("and AWS refuses", func(t *testing.T) {
		r := rigged(t)
		f := &unwritable{file: fileOf(23 << 20), begin: syscall.ENOSPC}
		r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:PutObject", Code: "AccessDenied", Status: 403}})
		_, err := r.up.PutAtRest(t.Context(), testbed.Destination, r.accepted(t), f)
		if v := uploader.FailureOf(err); v.Disposition != awserr.Park || errors.Is(err, syscall.ENOSPC) {
			t.Errorf("judged %+v: %v", v, err)
		}
		r.nothingLeft(t)
	})
}
