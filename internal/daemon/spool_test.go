package daemon

import (
	"bytes"
	"context"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/oklog/ulid/v2"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
	"github.com/brokerd/brokerd/internal/testbed/testbedtest"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// spooling is a stage whose destination keeps its objects first.
func spooling(t *testing.T, durability string) *testbedtest.Bed {
	t.Helper()
	st := testbedtest.New(t)
	st.Config.Destinations[testbed.Destination].Durability = durability
	st.Config.Spool = config.Spool{Dir: filepath.Join(st.Dir, "spool"), Max: config.GiB, Concurrency: 4, AllowVolatile: true}
	st.Config.Access[0].Allow = append(st.Config.Access[0].Allow, config.PermAdmin)
	return st
}

func ready(t *testing.T, st *testbedtest.Bed) *running {
	t.Helper()
	d := start(t, st.Config)
	if _, err := d.Health().Check(t.Context(), &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	return d
}

func (r *running) halt(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Error(err)
	}
}

// send uploads over the raw API.
func (r *running) send(ctx context.Context, name, key string, data []byte) (*brokerdv1.UploadResponse, error) {
	stream, err := r.Broker().Upload(ctx)
	if err != nil {
		return nil, err
	}
	parts := []*brokerdv1.UploadRequest{
		{
			Part: &brokerdv1.UploadRequest_Header{
				Header: &brokerdv1.UploadHeader{Destination: testbed.Destination, Name: name, IdempotencyKey: key},
			},
		},
	}
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 256<<10)
		parts = append(parts, &brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Chunk{Chunk: rest[:n]}})
		rest = rest[n:]
	}
	parts = append(parts, &brokerdv1.UploadRequest{
		Part: &brokerdv1.UploadRequest_Trailer{Trailer: &brokerdv1.UploadTrailer{Length: uint64(len(data)), Crc32C: crcOf(data)}},
	})
	for _, p := range parts {
		if err := stream.Send(p); err != nil {
			break // the answer says why
		}
	}
	return stream.CloseAndRecv()
}

func (r *running) upload(t *testing.T, id string, wait time.Duration) *brokerdv1.GetUploadResponse {
	t.Helper()
	got, err := r.Broker().GetUpload(t.Context(), &brokerdv1.GetUploadRequest{UploadId: id, Wait: durationpb.New(wait)})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func randomBytes(n int) []byte {
	out := make([]byte, n)
	rng := rand.NewChaCha8([32]byte{9, byte(n)})
	_, _ = rng.Read(out)
	return out
}

func holds(t *testing.T, st *testbedtest.Bed, want ...[]byte) {
	t.Helper()
	objs := st.Sandbox.Objects(testbed.Bucket)
	if len(objs) != len(want) {
		t.Fatalf("%d objects, want %d", len(objs), len(want))
	}
	for _, o := range objs {
		_, body, err := st.Sandbox.Object(testbed.Bucket, o.Key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(body)
		_ = body.Close()
		found := false
		for _, w := range want {
			found = found || bytes.Equal(w, data)
		}
		if err != nil || !found {
			t.Errorf("%s holds %d bytes that nobody sent: %v", o.Key, len(data), err)
		}
	}
}

const denied = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::` +
	testbed.Bucket + `/*"}]}`

// An acknowledgement of the spool becomes one of S3; refused by AWS, everything
// is kept, over a restart too, until access is repaired.
func TestSpooledObjectsOutliveARefusalAndARestart(t *testing.T) {
	st := spooling(t, config.DurabilitySpool)
	d := ready(t, st)
	small, large := randomBytes(1000), randomBytes(20<<20)
	first, err := d.send(t.Context(), "first.log", "", small)
	if err != nil || first.GetState() != brokerdv1.UploadState_UPLOAD_STATE_SPOOLED {
		t.Fatalf("%v, %v", first, err)
	}
	if got := d.upload(t, first.GetUploadId(), time.Minute); got.GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED ||
		got.GetObject().GetKmsKeyArn() != st.KeyARN {
		t.Fatalf("the first upload: %v", got)
	}

	if err := st.PutBucketPolicy(t.Context(), denied); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, data := range [][]byte{large, small} {
		resp, err := d.send(t.Context(), "later.log", "", data)
		if err != nil {
			t.Fatalf("what the disk takes is refused: %v", err)
		}
		ids = append(ids, resp.GetUploadId())
	}
	parked := func(d *running) *brokerdv1.SpoolUsage {
		t.Helper()
		for {
			list, err := d.Admin().ListDestinations(t.Context(), &brokerdv1.ListDestinationsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if u := list.GetDestinations()[0].GetSpool(); u.GetParkedReason() != "" {
				if list.GetDestinations()[0].GetReady() {
					t.Error("a parked destination is ready")
				}
				return u
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	if u := parked(d); u.GetParkedReason() != "ACCESS_DENIED" || u.GetQueuedObjects() != 2 {
		t.Errorf("parked as %v", u)
	}
	d.halt(t)

	d = ready(t, st)
	parked(d)
	// The other object may have been the one that was refused: this one's try may still be under way.
	for d.upload(t, ids[0], 0).GetFailureReason() != "ACCESS_DENIED" {
		time.Sleep(5 * time.Millisecond)
	}
	if got := d.upload(t, ids[0], 0); got.GetState() != brokerdv1.UploadState_UPLOAD_STATE_SPOOLED {
		t.Errorf("after the restart: %v", got)
	}
	if err := st.PutBucketPolicy(t.Context(), string(st.Docs.Bucket)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Admin().RetrySpool(t.Context(), &brokerdv1.RetrySpoolRequest{Destination: testbed.Destination}); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if got := d.upload(t, id, time.Minute); got.GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED {
			t.Errorf("after the repair: %v", got)
		}
	}
	holds(t, st, small, small, large)
	if ups := st.Sandbox.MultipartUploads(testbed.Bucket); len(ups) != 0 {
		t.Errorf("%d multipart uploads are left", len(ups))
	}
	d.halt(t)
	// The receipt outlives the daemon.
	d = ready(t, st)
	if got := d.upload(t, ids[0], 0); got.GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED ||
		got.GetObject().GetSize() != uint64(len(large)) {
		t.Errorf("after another restart: %v", got)
	}
	d.halt(t)
}

func TestWaitingSpoolAcknowledgesWhatS3Confirmed(t *testing.T) {
	st := spooling(t, config.DurabilitySpoolWait)
	d := ready(t, st)
	data := randomBytes(9 << 20)
	resp, err := d.send(t.Context(), "a.log", "", data)
	if err != nil || resp.GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED || resp.GetObject().GetSize() != uint64(len(data)) {
		t.Fatalf("%v, %v", resp, err)
	}
	holds(t, st, data)

	// While S3 refuses, the caller's deadline decides how long it waits; the object is kept.
	if err := st.PutBucketPolicy(t.Context(), denied); err != nil {
		t.Fatal(err)
	}
	key := ulid.Make().String()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := d.send(ctx, "b.log", key, data[:100]); status.Code(err) != codes.DeadlineExceeded {
		t.Fatalf("got %v", err)
	}
	if err := st.PutBucketPolicy(t.Context(), string(st.Docs.Bucket)); err != nil {
		t.Fatal(err)
	}
	resp, err = d.send(t.Context(), "b.log", key, data[:100])
	if err != nil || resp.GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED {
		t.Fatalf("the same upload again: %v, %v", resp, err)
	}
	holds(t, st, data, data[:100])
	d.halt(t)
}

// The same idempotency key is the same upload, whatever the durability, over a
// restart, and after an answer that was lost on the way.
func TestSameKeyIsTheSameUpload(t *testing.T) {
	for _, durability := range []string{config.DurabilityDirect, config.DurabilitySpool, config.DurabilitySpoolWait} {
		t.Run(durability, func(t *testing.T) {
			st := spooling(t, durability)
			d := ready(t, st)
			key, data := ulid.Make().String(), randomBytes(5000)
			st.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:PutObject", Reset: sandbox.ResetBeforeResponse, Times: 1}})
			first, err := d.send(t.Context(), "a.log", key, data)
			if err != nil {
				t.Fatal(err)
			}
			again, err := d.send(t.Context(), "a.log", key, data)
			if err != nil || again.GetUploadId() != first.GetUploadId() {
				t.Fatalf("%v, %v; the first was %s", again, err, first.GetUploadId())
			}
			d.upload(t, first.GetUploadId(), time.Minute)
			d.halt(t)
			d = ready(t, st)
			again, err = d.send(t.Context(), "a.log", key, data)
			if err != nil || again.GetUploadId() != first.GetUploadId() || again.GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED {
				t.Fatalf("after a restart: %v, %v", again, err)
			}
			other, err := d.send(t.Context(), "a.log", ulid.Make().String(), data)
			if err != nil || other.GetUploadId() == first.GetUploadId() {
				t.Fatalf("another key: %v, %v", other, err)
			}
			d.upload(t, other.GetUploadId(), time.Minute)
			holds(t, st, data, data)
			d.halt(t)
		})
	}
}

// Another object under a key that is taken would be acknowledged and be nowhere.
func TestAnotherObjectUnderATakenKeyIsRefused(t *testing.T) {
	for _, durability := range []string{config.DurabilityDirect, config.DurabilitySpool, config.DurabilitySpoolWait} {
		t.Run(durability, func(t *testing.T) {
			st := spooling(t, durability)
			d := ready(t, st)
			key, data := ulid.Make().String(), randomBytes(5000)
			first, err := d.send(t.Context(), "a.log", key, data)
			if err != nil {
				t.Fatal(err)
			}
			refused := func(when string) {
				t.Helper()
				for what, other := range map[string]struct {
					name string
					data []byte
				}{
					"another name":             {"b.log", data},
					"a longer one":             {"a.log", append(slices.Clone(data), 'x')},
					"a shorter one":            {"a.log", data[:4999]},
					"other bytes, same length": {"a.log", append(slices.Clone(data[:4999]), data[4999]+1)},
				} {
					got, err := d.send(t.Context(), other.name, key, other.data)
					if status.Code(err) != codes.AlreadyExists {
						t.Errorf("%s, %s: %v, %v", when, what, got, err)
					}
				}
				if again, err := d.send(t.Context(), "a.log", key, data); err != nil || again.GetUploadId() != first.GetUploadId() {
					t.Errorf("%s, the same: %v, %v", when, again, err)
				}
			}
			refused("at once")
			d.upload(t, first.GetUploadId(), time.Minute)
			refused("after the delivery")
			if durability != config.DurabilityDirect {
				d.halt(t)
				d = ready(t, st)
				refused("after a restart")
			}
			holds(t, st, data)
			d.halt(t)
		})
	}
}

func TestFullSpoolRefusesAndLosesNothing(t *testing.T) {
	st := spooling(t, config.DurabilitySpool)
	st.Config.Spool.Max = config.MiB
	if err := st.PutBucketPolicy(t.Context(), denied); err != nil {
		t.Fatal(err)
	}
	d := ready(t, st)
	data := randomBytes(300 << 10)
	var kept int
	var last error
	for range 10 {
		if _, last = d.send(t.Context(), "a.log", "", data); last != nil {
			break
		}
		kept++
	}
	if status.Code(last) != codes.ResourceExhausted || kept == 0 || kept > 3 {
		t.Fatalf("%d uploads of 300 KiB into 1 MiB, then %v", kept, last)
	}
	if !strings.Contains(last.Error(), "total bytes of the spool") {
		t.Errorf("it does not say what is full: %v", last)
	}
	if err := st.PutBucketPolicy(t.Context(), string(st.Docs.Bucket)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Admin().RetrySpool(t.Context(), &brokerdv1.RetrySpoolRequest{Destination: "*"}); err != nil {
		t.Fatal(err)
	}
	drained(t, d)
	// A destination stays parked until its probe has ended, and a drain does not wait for a parked one.
	until(t, "all acknowledged objects are in the bucket", func() bool {
		return len(st.Sandbox.Objects(testbed.Bucket)) == kept
	})
	drained(t, d)
	if _, err := d.send(t.Context(), "b.log", "", data); status.Code(err) != codes.Unavailable {
		t.Errorf("a drained daemon takes uploads: %v", err)
	}
	stream, err := d.Admin().Drain(t.Context(), &brokerdv1.DrainRequest{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.send(t.Context(), "b.log", "", data); err != nil {
		t.Errorf("after draining was ended: %v", err)
	}
	d.halt(t)
}

func drained(t *testing.T, d *running) *brokerdv1.DrainResponse {
	t.Helper()
	stream, err := d.Admin().Drain(t.Context(), &brokerdv1.DrainRequest{Timeout: durationpb.New(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if m.GetDone() {
			if m.GetQueuedObjects() != 0 || m.GetOpenUploads() != 0 {
				t.Errorf("drained with work left: %v", m)
			}
			return m
		}
	}
}

// An object that can never be delivered as it is does not hold up the others,
// and stays until an operator decides.
func TestDeadObjectIsKeptForAnOperator(t *testing.T) {
	st := spooling(t, config.DurabilitySpool)
	st.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:PutObject", Code: "EntityTooLarge", Status: 400, Times: 1}})
	d := ready(t, st)
	data, other := randomBytes(4000), randomBytes(700)
	key := ulid.Make().String()
	resp, err := d.send(t.Context(), "a.log", key, data)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.upload(t, resp.GetUploadId(), time.Minute); got.GetState() != brokerdv1.UploadState_UPLOAD_STATE_DEAD ||
		got.GetFailureReason() == "" {
		t.Fatalf("got %v", got)
	}
	if again, err := d.send(t.Context(), "a.log", key, data); err == nil {
		t.Errorf("the same upload again is answered with %v", again)
	}
	next, err := d.send(t.Context(), "b.log", "", other)
	if err != nil {
		t.Fatal(err)
	}
	d.upload(t, next.GetUploadId(), time.Minute)
	holds(t, st, other)

	export, err := d.Admin().ExportSpool(t.Context(), &brokerdv1.ExportSpoolRequest{UploadId: resp.GetUploadId()})
	if err != nil {
		t.Fatal(err)
	}
	var back []byte
	for {
		m, err := export.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, m.GetChunk()...)
	}
	if !bytes.Equal(back, data) {
		t.Errorf("%d bytes were exported of %d", len(back), len(data))
	}
	if _, err := d.Admin().RetrySpool(t.Context(), &brokerdv1.RetrySpoolRequest{UploadIds: []string{resp.GetUploadId()}}); err != nil {
		t.Fatal(err)
	}
	if got := d.upload(t, resp.GetUploadId(), time.Minute); got.GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED {
		t.Errorf("after the retry: %v", got)
	}
	holds(t, st, data, other)
	d.halt(t)
}

// The next daemon aborts the multipart upload of a stream that a crash cut.
func TestStreamsThatACrashCutAreAborted(t *testing.T) {
	st := spooling(t, config.DurabilityDirect)
	d := ready(t, st)
	stream, err := d.Broker().Upload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&brokerdv1.UploadRequest{
		Part: &brokerdv1.UploadRequest_Header{Header: &brokerdv1.UploadHeader{Destination: testbed.Destination, Name: "a.log"}},
	}); err != nil {
		t.Fatal(err)
	}
	chunk := randomBytes(256 << 10)
	for range 40 {
		if err := stream.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Chunk{Chunk: chunk}}); err != nil {
			t.Fatal(err)
		}
	}
	for len(st.Sandbox.MultipartUploads(testbed.Bucket)) == 0 {
		time.Sleep(time.Millisecond)
	}
	// S3 does not let the daemon abort it: to the next one that looks like a crash.
	st.Sandbox.SetFaults([]sandbox.Fault{{Operation: "s3:AbortMultipartUpload", Code: "AccessDenied", Status: 403}})
	st.Config.Shutdown.Grace = config.Duration(100 * time.Millisecond)
	d.halt(t)
	if len(st.Sandbox.MultipartUploads(testbed.Bucket)) != 1 {
		t.Fatal("the upload is gone already")
	}
	st.Sandbox.SetFaults(nil)
	d = ready(t, st)
	for limit := time.Now().Add(20 * time.Second); len(st.Sandbox.MultipartUploads(testbed.Bucket)) != 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("the upload is still there")
		}
	}
	d.halt(t)
}

func crcOf(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }
