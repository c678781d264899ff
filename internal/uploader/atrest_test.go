package uploader_test

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/uploader"
)

// file is an object at rest, with its journal in memory.
type file struct {
	data    []byte
	segment int64

	mu       sync.Mutex
	id       string
	partSize int64
	parts    map[int32]string
	crcs     map[int32]uint32
	begun    int
	sections int
}

const testSegment = 5 << 20

func fileOf(n int) *file { return &file{data: bytesOf(n), segment: testSegment} }

func (f *file) Size() int64        { return int64(len(f.data)) }
func (f *file) SegmentSize() int64 { return f.segment }
func (f *file) CRC32C() uint32     { return crc32.Checksum(f.data, crc32.MakeTable(crc32.Castagnoli)) }

func (f *file) Segments() (out []uint32) {
	for off := int64(0); off < f.Size(); off += f.segment {
		out = append(out, crc32.Checksum(f.data[off:min(f.Size(), off+f.segment)], crc32.MakeTable(crc32.Castagnoli)))
	}
	return out
}

func (f *file) Section(off, n int64) io.Reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sections++
	return bytes.NewReader(f.data[off : off+n])
}

func (f *file) UploadID() (string, int64) { return f.id, f.partSize }

func (f *file) EachPart(fn func(int32, string, uint32)) {
	for n, etag := range f.parts {
		fn(n, etag, f.crcs[n])
	}
}

func (f *file) BeginUpload(id string, partSize int64) error {
	f.id, f.partSize, f.parts, f.crcs = id, partSize, make(map[int32]string), make(map[int32]uint32)
	f.begun++
	return nil
}

func (f *file) PartSent(n int32, etag string, crc uint32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts[n], f.crcs[n] = etag, crc
	return nil
}

func (f *file) ForgetUpload() error {
	f.id, f.partSize, f.parts, f.crcs = "", 0, nil, nil
	return nil
}

// accepted returns an object as the spool would keep it.
func (r *rig) accepted(t *testing.T) uploader.Object {
	t.Helper()
	obj := uploader.Object{ID: ulid.Make().String(), Name: "rest.log", Received: time.Now(), Size: -1}
	d, err := r.up.Open(t.Context(), testbed.Destination, obj, newBody(nil))
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	return d.Object
}

// holds asserts that the bucket holds exactly one object, with these bytes, in one version.
func (r *rig) holds(t *testing.T, data []byte) {
	t.Helper()
	objs := r.Sandbox.Objects(testbed.Bucket)
	if len(objs) != 1 {
		t.Fatalf("%d objects", len(objs))
	}
	_, body, err := r.Sandbox.Object(testbed.Bucket, objs[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("the object differs: %d bytes of %d, %v", len(got), len(data), err)
	}
	if ups := r.Sandbox.MultipartUploads(testbed.Bucket); len(ups) != 0 {
		t.Errorf("%d multipart uploads are left", len(ups))
	}
}

func TestObjectsAtRestArrive(t *testing.T) {
	for _, n := range []int{0, 1, 5 << 20, 8 << 20, 8<<20 + 1, 23<<20 + 77} {
		r := rigged(t)
		f := fileOf(n)
		s, err := r.up.PutAtRest(t.Context(), testbed.Destination, r.accepted(t), f)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		r.holds(t, f.data)
		if s.Size != int64(n) || s.Existed || s.KMSKeyARN != r.KeyARN {
			t.Errorf("%d bytes: %+v", n, s)
		}
	}
}

// Whatever a file of the spool says, its object goes below the destination's prefix or nowhere.
func TestAKeyOutsideThePrefixIsNeverSent(t *testing.T) {
	r := rigged(t)
	before := r.Sandbox.CountCalls("s3", "PutObject") + r.Sandbox.CountCalls("s3", "CreateMultipartUpload")
	good := r.accepted(t)
	for _, key := range []string{"", "elsewhere/planted", "log", "/" + good.Key, "logs/../elsewhere/planted", "logs/..",
		"logs/./x", "LOGS/x"} {
		for _, n := range []int{10, 23 << 20} {
			obj := good
			obj.Key = key
			_, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, fileOf(n))
			if f := uploader.FailureOf(err); err == nil || f.Disposition != awserr.Dead || f.Reason != "CORRUPT" {
				t.Errorf("key %q, %d bytes: %v, judged %+v", key, n, err, f)
			}
		}
	}
	if after := r.Sandbox.CountCalls("s3", "PutObject") + r.Sandbox.CountCalls("s3", "CreateMultipartUpload"); after != before {
		t.Errorf("%d requests were sent", after-before)
	}
}

// A part that S3 has is not sent again, neither after a failure nor after a restart.
func TestInterruptedUploadGoesOn(t *testing.T) {
	r := rigged(t)
	f, obj := fileOf(23<<20), r.accepted(t)
	r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:CompleteMultipartUpload", Code: "AccessDenied", Status: 403}})
	_, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f)
	if v := uploader.FailureOf(err); v.Disposition != awserr.Park || v.Reason != "ACCESS_DENIED" {
		t.Fatalf("judged %+v: %v", v, err)
	}
	if len(r.Sandbox.MultipartUploads(testbed.Bucket)) != 1 || len(f.parts) != 5 {
		t.Fatal("what was sent was thrown away")
	}
	delete(f.parts, 3) // as if the crash had come before it was recorded
	r.Sandbox.SetFaults(nil)
	before := r.Sandbox.CountCalls("s3", "UploadPart")
	if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err != nil {
		t.Fatal(err)
	}
	if n := r.Sandbox.CountCalls("s3", "UploadPart") - before; n != 1 || f.begun != 1 {
		t.Errorf("%d parts were sent again, %d uploads were begun", n, f.begun)
	}
	r.holds(t, f.data)
}

// A write succeeds and its response is lost: one object, one version, and success.
func TestLostAnswerIsNoSecondObject(t *testing.T) {
	for name, tc := range map[string]struct {
		size int
		op   string
	}{"in one request": {100, "s3:PutObject"}, "in parts": {12 << 20, "s3:CompleteMultipartUpload"}} {
		t.Run(name, func(t *testing.T) {
			r := rigged(t)
			f, obj := fileOf(tc.size), r.accepted(t)
			r.Sandbox.SetFaults([]sandbox.Fault{{Operation: tc.op, Reset: sandbox.ResetBeforeResponse, Times: 1}})
			if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err != nil {
				t.Fatal(err)
			}
			r.holds(t, f.data)
			// The same upload again, as after a crash before it was recorded.
			f.id = ""
			s, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f)
			if err != nil || !s.Existed {
				t.Errorf("%+v, %v", s, err)
			}
			r.holds(t, f.data)
		})
	}
}

func TestUploadThatVanishedIsBegunAnew(t *testing.T) {
	r := rigged(t)
	f, obj := fileOf(12<<20), r.accepted(t)
	if err := f.BeginUpload("an-upload-that-a-lifecycle-rule-ended", 5<<20); err != nil {
		t.Fatal(err)
	}
	if err := f.PartSent(1, "gone", 7); err != nil {
		t.Fatal(err)
	}
	if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err != nil {
		t.Fatal(err)
	}
	r.holds(t, f.data)
}

func TestConflictBeginsAnew(t *testing.T) {
	r := rigged(t)
	f, obj := fileOf(12<<20), r.accepted(t)
	r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:CompleteMultipartUpload", Code: "ConditionalRequestConflict", Status: 409, Times: 4}})
	if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err != nil {
		t.Fatal(err)
	}
	if f.begun != 2 {
		t.Errorf("%d uploads were begun", f.begun)
	}
	r.holds(t, f.data)
}

func TestAbandonedObjectLeavesNoParts(t *testing.T) {
	r := rigged(t)
	f, obj := fileOf(12<<20), r.accepted(t)
	r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:CompleteMultipartUpload", Code: "AccessDenied", Status: 403}})
	if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err == nil {
		t.Fatal("it was delivered")
	}
	if err := r.up.Abandon(t.Context(), testbed.Destination, obj.Key, f); err != nil {
		t.Fatal(err)
	}
	if err := r.up.Abandon(t.Context(), testbed.Destination, obj.Key, f); err != nil {
		t.Errorf("abandoning what is abandoned: %v", err)
	}
	r.nothingLeft(t)
}

// Damage on the disk is no failure of the network: the request is not retried, and the
// reader's own error is returned.
func TestBytesThatCannotBeReadAreNotStored(t *testing.T) {
	rot := errors.New("the disk rots")
	for _, n := range []int{100, 12 << 20} {
		r := rigged(t)
		_, err := r.up.PutAtRest(t.Context(), testbed.Destination, r.accepted(t), rotten{fileOf(n), rot})
		if !errors.Is(err, rot) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if len(r.Sandbox.Objects(testbed.Bucket)) != 0 {
			t.Errorf("%d bytes: an object came of it", n)
		}
	}
}

type rotten struct {
	*file
	err error
}

func (r rotten) Section(off, n int64) io.Reader {
	return io.MultiReader(io.LimitReader(r.file.Section(off, n), n/2), failing{r.err})
}

func TestStoppedDeliveryKeepsItsUploadOpen(t *testing.T) {
	r := rigged(t)
	f, obj := fileOf(23<<20), r.accepted(t)
	ctx, cancel := context.WithCancel(t.Context())
	stopping := stopAfter{f, 3, cancel}
	if _, err := r.up.PutAtRest(ctx, testbed.Destination, obj, &stopping); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if f.id == "" || len(f.parts) == 0 {
		t.Fatal("what was sent is forgotten")
	}
	if _, err := r.up.PutAtRest(t.Context(), testbed.Destination, obj, f); err != nil {
		t.Fatal(err)
	}
	if f.begun != 1 {
		t.Errorf("%d uploads were begun", f.begun)
	}
	r.holds(t, f.data)
}

type stopAfter struct {
	*file
	left   int
	cancel func()
}

func (s *stopAfter) PartSent(n int32, etag string, crc uint32) error {
	s.mu.Lock()
	s.left--
	last := s.left == 0
	s.mu.Unlock()
	if last {
		s.cancel()
	}
	return s.file.PartSent(n, etag, crc)
}

func TestFates(t *testing.T) {
	aws := func(code string, status int) error {
		return &uploader.Error{Reason: "X", Info: awserr.Classify(answer{code, status}, "s3")}
	}
	for _, row := range []struct {
		err  error
		want awserr.Disposition
	}{
		{aws("SlowDown", 503), awserr.Retry},
		{aws("InternalError", 500), awserr.Retry},
		{aws("KMS.ThrottlingException", 400), awserr.Retry},
		{aws("ConditionalRequestConflict", 409), awserr.Retry},
		{aws("NoSuchUpload", 404), awserr.Retry},
		{aws("BadDigest", 400), awserr.Retry},
		{aws("ExpiredToken", 400), awserr.RefreshThenRetry},
		{aws("AccessDenied", 403), awserr.Park},
		{aws("NoSuchBucket", 404), awserr.Park},
		{aws("KMS.DisabledException", 400), awserr.Park},
		{aws("KMS.NotFoundException", 400), awserr.Park},
		{aws("PermanentRedirect", 301), awserr.Park},
		{aws("InvalidAccessKeyId", 403), awserr.Park},
		{aws("AccessControlListNotSupported", 400), awserr.Park},
		{aws("InvalidStorageClass", 400), awserr.Park},
		{aws("InvalidArgument", 400), awserr.Park},
		{aws("SomethingNew", 400), awserr.Park},
		{aws("EntityTooLarge", 400), awserr.Dead},
		{aws("KeyTooLongError", 400), awserr.Dead},
		{aws("MetadataTooLarge", 400), awserr.Dead},
		{&uploader.MismatchError{Stored: true}, awserr.Dead},
		{&uploader.MismatchError{}, awserr.Park},
		{context.Canceled, awserr.Abort},
		{errors.New("anything else"), awserr.Retry},
	} {
		if got := uploader.FailureOf(row.err); got.Disposition != row.want || got.Reason == "" {
			t.Errorf("%v: %+v, want %s", row.err, got, row.want)
		}
	}
}

type answer struct {
	code   string
	status int
}

func (a answer) Error() string        { return a.code }
func (a answer) ErrorCode() string    { return a.code }
func (a answer) ErrorMessage() string { return "a text" }
func (a answer) HTTPStatusCode() int  { return a.status }
