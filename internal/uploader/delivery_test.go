package uploader_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	"github.com/brokerd/brokerd/internal/uploader"
)

// bodyOf is a Body over a reader.
type bodyOf struct {
	io.Reader
	once sync.Once
	stop chan struct{}
	why  error
}

func newBody(r io.Reader) *bodyOf { return &bodyOf{Reader: r, stop: make(chan struct{})} }

func (b *bodyOf) Interrupt(err error) {
	b.once.Do(func() { b.why = err; close(b.stop) })
}

func bytesOf(n int) []byte {
	rng := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), 1})
	out := make([]byte, n)
	_, _ = rng.Read(out)
	return out
}

func (b *bodyOf) Verify(int64, uint32) error { return nil }

// statedBody is a body whose sender stated that it is data.
type statedBody struct {
	uploader.Body
	data []byte
}

func (b statedBody) Verify(n int64, crc uint32) error {
	if n != int64(len(b.data)) || crc != crc32.Checksum(b.data, crc32.MakeTable(crc32.Castagnoli)) {
		return fmt.Errorf("%d bytes with CRC32C %08x arrived at the door", n, crc)
	}
	return nil
}

type rig struct {
	*testbedtest.Bed
	up     *uploader.Uploader
	broker *broker.Broker
	budget *uploader.Budget
}

func rigged(t *testing.T) *rig {
	t.Helper()
	return rigOn(t, testbedtest.New(t))
}

func rigOn(t *testing.T, st *testbedtest.Bed) *rig {
	t.Helper()
	b, err := broker.New(broker.Options{Config: st.Config, HTTPClient: st.HTTP})
	if err != nil {
		t.Fatal(err)
	}
	budget, err := uploader.NewBudget(48 << 20)
	if err != nil {
		t.Fatal(err)
	}
	up, err := uploader.New(uploader.Options{Config: st.Config, Sessions: b, Budget: budget, Host: "host-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		up.Close()
		if used, n := budget.Used(); used != 0 || n != 0 {
			t.Errorf("%d bytes of %d uploads were not given back", used, n)
		}
		if err := budget.Close(); err != nil {
			t.Error(err)
		}
	})
	return &rig{Bed: st, up: up, broker: b, budget: budget}
}

func (r *rig) put(ctx context.Context, t *testing.T, name string, data []byte, body uploader.Body, size int64) (uploader.Stored, error) {
	t.Helper()
	slot, err := r.budget.Admit(quota.Party{})
	if err != nil {
		t.Fatal(err)
	}
	defer slot.Release()
	return r.deliver(ctx, uploader.Object{
		ID: ulid.Make().String(), Name: name, Received: time.Now(), Size: size, ContentType: "text/plain",
		Metadata: map[string]string{"app": "billing"},
	}, statedBody{body, data})
}

// deliver opens and puts an object, as the daemon does for an admitted upload.
func (r *rig) deliver(ctx context.Context, obj uploader.Object, body uploader.Body) (uploader.Stored, error) {
	d, err := r.up.Open(ctx, testbed.Destination, obj, body)
	if err != nil {
		return uploader.Stored{}, err
	}
	defer d.Close()
	return r.up.Put(ctx, d)
}

// nothingLeft asserts that a bucket holds neither objects nor uploads.
func (r *rig) nothingLeft(t *testing.T) {
	t.Helper()
	if objs := r.Sandbox.Objects(testbed.Bucket); len(objs) != 0 {
		t.Errorf("an object came of it: %s", objs[0].Key)
	}
	if ups := r.Sandbox.MultipartUploads(testbed.Bucket); len(ups) != 0 {
		t.Errorf("a multipart upload is left: %s", ups[0].Key)
	}
}

func TestObjectsArriveByteForByteEncryptedAndChecked(t *testing.T) {
	r := rigged(t)
	const part = 8 << 20
	for _, n := range []int{0, 1, 65535, 65536, 65537, 1 << 20, part - 1, part, part + 1, 2 * part, 3*part + 12345} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d bytes, length known %v", n, known), func(t *testing.T) {
				data := bytesOf(n)
				size := int64(-1)
				if known {
					size = int64(n)
				}
				got, err := r.put(t.Context(), t, "app/today.log", data, newBody(bytes.NewReader(data)), size)
				if err != nil {
					t.Fatal(err)
				}
				info, body, err := r.Sandbox.Object(testbed.Bucket, got.Key)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = body.Close() }()
				stored, err := io.ReadAll(body)
				if err != nil || !bytes.Equal(stored, data) {
					t.Fatalf("the object differs (%d bytes, %v)", len(stored), err)
				}
				want := (n + part - 1) / part
				if n == 0 {
					want = 1
				}
				if got.Parts != want || got.Size != int64(n) {
					t.Errorf("parts %d and size %d, want %d and %d", got.Parts, got.Size, want, n)
				}
				if info.Encryption != "aws:kms" || info.KMSKeyARN != r.KeyARN || !info.BucketKeyEnabled || info.ChecksumType != "FULL_OBJECT" ||
					info.Checksum != got.ChecksumCRC32C {
					t.Errorf("stored as %+v", info)
				}
				if info.Metadata["app"] != "billing" || info.Metadata["brokerd-id"] == "" || info.ContentType != "text/plain" {
					t.Errorf("metadata %v, content type %s", info.Metadata, info.ContentType)
				}
				if !strings.HasPrefix(info.Key, "logs/") || !strings.Contains(info.Writer, "assumed-role/"+testbed.RoleName) {
					t.Errorf("key %s written by %s", info.Key, info.Writer)
				}
			})
		}
	}
	if n := r.Sandbox.CountCalls("sts", "AssumeRole"); n != 1 {
		t.Errorf("%d AssumeRole calls for all of that", n)
	}
}

func TestBodyThatFailsBecomesNoObject(t *testing.T) {
	broken := errors.New("the client went away")
	for _, n := range []int{0, 100, 9 << 20, 30 << 20} {
		t.Run(fmt.Sprintf("after %d bytes", n), func(t *testing.T) {
			r := rigged(t)
			_, err := r.put(t.Context(), t, "n", nil, newBody(io.MultiReader(bytes.NewReader(bytesOf(n)), failing{broken})), -1)
			if !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
			r.nothingLeft(t)
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestBodyThatWasNotWhatItsSenderSaysBecomesNoObject(t *testing.T) {
	for _, n := range []int{100, 20 << 20} {
		r := rigged(t)
		if _, err := r.put(t.Context(), t, "n", []byte("other bytes"), newBody(bytes.NewReader(bytesOf(n))), -1); err == nil ||
			!strings.Contains(err.Error(), "at the door") {
			t.Errorf("%d bytes: got %v", n, err)
		}
		r.nothingLeft(t)
	}
}

func TestCancelledCallerLeavesNothing(t *testing.T) {
	r := rigged(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	data := bytesOf(20 << 20)
	body := newBody(io.MultiReader(bytes.NewReader(data), readerFunc(func([]byte) (int, error) {
		cancel(gone)
		return 0, gone
	})))
	if _, err := r.put(ctx, t, "n", data, body, -1); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	r.nothingLeft(t)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestRefusalsNameTheirReason(t *testing.T) {
	for name, tc := range map[string]struct {
		breakIt func(t *testing.T, r *rig)
		reason  reason.Reason
		size    int
	}{
		"bucket policy gone": {func(t *testing.T, r *rig) {
			if err := r.PutBucketPolicy(t.Context(), `{"Version":"2012-10-17",`+
				`"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"arn:aws:s3:::`+
				testbed.Bucket+`"}]}`); err != nil {
				t.Fatal(err)
			}
		}, "ACCESS_DENIED", 10},
		"key policy without the role": {func(t *testing.T, r *rig) {
			if err := r.PutKeyPolicy(t.Context(), `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",`+
				`"Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":"kms:*","Resource":"*"}]}`); err != nil {
				t.Fatal(err)
			}
		}, "ACCESS_DENIED", 10 << 20},
		"identity without decrypt fails in the parts": {func(t *testing.T, r *rig) {
			if err := r.PutIdentity(t.Context(), strings.ReplaceAll(string(r.Docs.Identity), "kms:Decrypt", "kms:DescribeKey")); err != nil {
				t.Fatal(err)
			}
		}, "ACCESS_DENIED", 20 << 20},
		"throttled for longer than the retries": {func(_ *testing.T, r *rig) {
			r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:PutObject", Code: "SlowDown", Status: 503}})
		}, "THROTTLED", 10},
		"broken for longer than the retries": {func(_ *testing.T, r *rig) {
			r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:UploadPart", Code: "InternalError", Status: 500}})
		}, "AWS_UNAVAILABLE", 20 << 20},
		"connections cut": {func(_ *testing.T, r *rig) {
			r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:PutObject", Reset: sandbox.ResetBeforeBody}})
		}, "NETWORK", 10},
	} {
		t.Run(name, func(t *testing.T) {
			r := rigged(t)
			if _, err := r.broker.Session(t.Context(), testbed.Destination); err != nil {
				t.Fatal(err)
			}
			tc.breakIt(t, r)
			data := bytesOf(tc.size)
			_, err := r.put(t.Context(), t, "n", data, newBody(bytes.NewReader(data)), -1)
			var e *uploader.Error
			if !errors.As(err, &e) || e.Reason != tc.reason {
				t.Fatalf("got %v, want reason %s: %v", err, tc.reason, e.Err)
			}
			r.Sandbox.SetFaults(nil)
			r.nothingLeft(t)
		})
	}
}

func TestPassingFaultsAreRetried(t *testing.T) {
	r := rigged(t)
	r.Sandbox.SetFaults([]sandbox.Fault{
		{Operation: "s3:CreateMultipartUpload", Code: "InternalError", Status: 500, Times: 1},
		{Operation: "s3:UploadPart", Reset: sandbox.ResetBeforeBody, Times: 2},
		{Operation: "s3:CompleteMultipartUpload", Code: "SlowDown", Status: 503, Times: 1},
	})
	data := bytesOf(20 << 20)
	got, err := r.put(t.Context(), t, "n", data, newBody(bytes.NewReader(data)), -1)
	if err != nil {
		t.Fatal(err)
	}
	if got.Attempts < 9 { // create 2, three parts and two of them again, complete 2
		t.Errorf("%d attempts are reported", got.Attempts)
	}
}

// S3 answers 307 within the Region for a while after a bucket was created.
func TestRedirectWithinTheRegionIsRetried(t *testing.T) {
	for _, n := range []int{1000, 20 << 20} {
		r := rigged(t)
		r.Sandbox.SetFaults([]sandbox.Fault{
			{Operation: "s3:PutObject", Code: "TemporaryRedirect", Status: 307, Times: 2},
			{Operation: "s3:CreateMultipartUpload", Code: "Redirect", Status: 307, Times: 2},
		})
		data := bytesOf(n)
		if _, err := r.put(t.Context(), t, "n", data, newBody(bytes.NewReader(data)), -1); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestExpiredSessionIsReplacedAndTheRequestSignedAnew(t *testing.T) {
	r := rigged(t)
	r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:PutObject", Code: "ExpiredToken", Status: 400, Times: 1}})
	data := []byte("x")
	if _, err := r.put(t.Context(), t, "n", data, newBody(bytes.NewReader(data)), -1); err != nil {
		t.Fatal(err)
	}
	if n := r.Sandbox.CountCalls("sts", "AssumeRole"); n != 2 {
		t.Errorf("%d AssumeRole calls, want the first and its replacement", n)
	}
}

// The destination is removed between the first byte of a body and the first call to S3.
func TestDeliveryThatHasBegunOutlivesItsDestination(t *testing.T) {
	r := rigged(t)
	data := bytesOf(5000)
	body := bytes.NewReader(data)
	removed := false
	b := newBody(readerFunc(func(p []byte) (int, error) {
		if !removed {
			removed = true
			next, renamed := *r.Config, *r.Config.Destinations[testbed.Destination]
			renamed.Name = "renamed"
			next.Destinations = map[string]*config.Destination{renamed.Name: &renamed}
			for _, part := range []interface {
				Prepare(c *config.Config) (config.Change, error)
			}{r.broker, r.up} {
				change, err := part.Prepare(&next)
				if err != nil {
					return 0, err
				}
				change.Commit()
			}
		}
		return body.Read(p)
	}))
	if _, err := r.put(t.Context(), t, "open.log", data, b, -1); err != nil {
		t.Errorf("the delivery that was under way: %v", err)
	}
	if n := len(r.Sandbox.Objects(testbed.Bucket)); n != 1 {
		t.Errorf("%d objects", n)
	}
	if _, err := r.put(t.Context(), t, "late.log", data, newBody(bytes.NewReader(data)), -1); !errors.Is(err, broker.ErrUnknownDestination) {
		t.Errorf("a delivery that begins afterwards: %v", err)
	}
}

// A failed part must end an upload whose client sends no byte.
func TestFailedPartInterruptsASilentClient(t *testing.T) {
	r := rigged(t)
	r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:UploadPart", Code: "AccessDenied", Status: 403}})
	body := newBody(nil)
	body.Reader = io.MultiReader(bytes.NewReader(bytesOf(9<<20)), readerFunc(func([]byte) (int, error) {
		<-body.stop
		return 0, body.why
	}))
	_, err := r.put(t.Context(), t, "n", nil, body, -1)
	var e *uploader.Error
	if !errors.As(err, &e) || e.Op != "s3:UploadPart" || e.Reason != "ACCESS_DENIED" {
		t.Errorf("got %v", err)
	}
	r.nothingLeft(t)
}

// A refusal must reach a client that still sends a large body. The reset of the closed
// connection must not hide it.
func TestRefusalOfALargeBodyIsNotTakenForABrokenNetwork(t *testing.T) {
	r := rigged(t)
	r.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:PutObject", Code: "AccessDenied", Status: 403}})
	data := bytesOf(8<<20 - 1)
	for range 50 {
		_, err := r.put(t.Context(), t, "n", data, newBody(bytes.NewReader(data)), -1)
		var e *uploader.Error
		if !errors.As(err, &e) || e.Reason != "ACCESS_DENIED" {
			t.Fatalf("got %v", err)
		}
	}
}

// Sixteen large uploads share a budget of four parts: all arrive, and the budget is never
// exceeded.
func TestManyLargeUploadsShareTheBudget(t *testing.T) {
	r := rigged(t)
	data := bytesOf(20 << 20)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if _, err := r.put(t.Context(), t, fmt.Sprintf("n%d", i), data, newBody(bytes.NewReader(data)), -1); err != nil {
				t.Error(err)
			}
			if used, _ := r.budget.Used(); used > r.budget.Total() {
				t.Errorf("%d bytes are reserved of %d", used, r.budget.Total())
			}
		})
	}
	wg.Wait()
	if n := len(r.Sandbox.Objects(testbed.Bucket)); n != 16 {
		t.Errorf("%d objects of 16", n)
	}
}
