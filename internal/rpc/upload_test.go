package rpc

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func crcOf(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func header(name string) *brokerdv1.UploadRequest {
	return &brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Header{Header: &brokerdv1.UploadHeader{Destination: "logs", Name: name}}}
}

func chunk(b []byte) *brokerdv1.UploadRequest {
	return &brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Chunk{Chunk: b}}
}

func trailer(length uint64, crc uint32) *brokerdv1.UploadRequest {
	return &brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_Trailer{Trailer: &brokerdv1.UploadTrailer{Length: length, Crc32C: crc}}}
}

func TestUploadArrivesByteForByte(t *testing.T) {
	d := serverFor(t)
	for name, data := range map[string][]byte{
		"empty": {}, "one byte": {7}, "one chunk": bytes.Repeat([]byte("x"), intake.MaxChunk),
		"a chunk and a byte": bytes.Repeat([]byte("y"), intake.MaxChunk+1), "all that is allowed": bytes.Repeat([]byte("z"), 1<<20),
	} {
		res, err := d.Upload(t.Context(), "logs", name, bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(d.sink.objects["logs/"+name], data) {
			t.Errorf("%s: the object differs", name)
		}
		got, err := d.Broker().GetUpload(t.Context(), &brokerdv1.GetUploadRequest{UploadId: res.UploadID})
		if err != nil || got.GetState() != brokerdv1.UploadState_UPLOAD_STATE_STORED || got.GetName() != name {
			t.Errorf("%s: GetUpload: %v, %v", name, got, err)
		}
	}
}

// raw sends messages as they are, and returns the daemon's answer.
func (d *daemonUnderTest) raw(t *testing.T, msgs ...*brokerdv1.UploadRequest) error {
	t.Helper()
	stream, err := d.Broker().Upload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range msgs {
		if stream.Send(m) != nil {
			break // the answer says why
		}
	}
	_, err = stream.CloseAndRecv()
	return d.FromError(err)
}

func TestBadStreamsBecomeNoObject(t *testing.T) {
	data := []byte("some bytes of a log")
	sized := header("n")
	ten := uint64(10)
	sized.GetHeader().Size = &ten
	huge := header("n")
	most := uint64(1<<20 + 1)
	huge.GetHeader().Size = &most
	for name, tc := range map[string]struct {
		msgs   []*brokerdv1.UploadRequest
		reason string
	}{
		"no trailer":              {[]*brokerdv1.UploadRequest{header("n"), chunk(data)}, "TRAILER_MISSING"},
		"nothing but a header":    {[]*brokerdv1.UploadRequest{header("n")}, "TRAILER_MISSING"},
		"nothing at all":          {nil, "PROTOCOL_VIOLATION"},
		"chunk before the header": {[]*brokerdv1.UploadRequest{chunk(data)}, "PROTOCOL_VIOLATION"},
		"keep-alive first":        {[]*brokerdv1.UploadRequest{keepAlive(), header("n")}, "PROTOCOL_VIOLATION"},
		"keep-alive last": {[]*brokerdv1.UploadRequest{header("n"), chunk(data), trailer(uint64(len(data)), crcOf(data)), keepAlive()},
			"PROTOCOL_VIOLATION"},
		"second header": {[]*brokerdv1.UploadRequest{header("n"), chunk(data), header("m")}, "PROTOCOL_VIOLATION"},
		"empty message": {[]*brokerdv1.UploadRequest{header("n"), {}}, "PROTOCOL_VIOLATION"},
		"empty chunk":   {[]*brokerdv1.UploadRequest{header("n"), chunk(nil)}, "PROTOCOL_VIOLATION"},
		"chunk after the trailer": {[]*brokerdv1.UploadRequest{header("n"), chunk(data), trailer(uint64(len(data)), crcOf(data)), chunk(data)},
			"PROTOCOL_VIOLATION"},
		"trailer with other length": {[]*brokerdv1.UploadRequest{header("n"), chunk(data), trailer(3, crcOf(data))}, "LENGTH_MISMATCH"},
		"trailer with other crc": {[]*brokerdv1.UploadRequest{header("n"), chunk(data), trailer(uint64(len(data)), crcOf(data)+1)},
			"CHECKSUM_MISMATCH"},
		"chunk over the limit":    {[]*brokerdv1.UploadRequest{header("n"), chunk(make([]byte, intake.MaxChunk+1))}, "CHUNK_TOO_LARGE"},
		"more than was announced": {[]*brokerdv1.UploadRequest{sized, chunk(data)}, "SIZE_MISMATCH"},
		"less than was announced": {[]*brokerdv1.UploadRequest{sized, chunk(data[:5]), trailer(5, crcOf(data[:5]))}, "SIZE_MISMATCH"},
		"announced too large":     {[]*brokerdv1.UploadRequest{huge}, "OBJECT_TOO_LARGE"},
		"grown too large": {[]*brokerdv1.UploadRequest{header("n"), chunk(make([]byte, intake.MaxChunk)), chunk(make([]byte, intake.MaxChunk)),
			chunk(make([]byte, intake.MaxChunk)), chunk(make([]byte, intake.MaxChunk)), chunk([]byte{1})}, "OBJECT_TOO_LARGE"},
	} {
		t.Run(name, func(t *testing.T) {
			d := serverFor(t)
			_ = wantFault(t, d.raw(t, tc.msgs...), tc.reason)
			if len(d.sink.objects) != 0 {
				t.Errorf("an object came of it")
			}
		})
	}
}

func TestBadHeaders(t *testing.T) {
	d := serverFor(t)
	for name, tc := range map[string]struct {
		mutate func(*brokerdv1.UploadHeader)
		reason string
	}{
		"no name":                 {func(h *brokerdv1.UploadHeader) { h.Name = "" }, "INVALID_NAME"},
		"dot dot":                 {func(h *brokerdv1.UploadHeader) { h.Name = "a/../b" }, "INVALID_NAME"},
		"control character":       {func(h *brokerdv1.UploadHeader) { h.Name = "a\nb" }, "INVALID_NAME"},
		"NUL":                     {func(h *brokerdv1.UploadHeader) { h.Name = "a\x00b" }, "INVALID_NAME"},
		"absolute":                {func(h *brokerdv1.UploadHeader) { h.Name = "/etc/passwd" }, "INVALID_NAME"},
		"two KiB":                 {func(h *brokerdv1.UploadHeader) { h.Name = strings.Repeat("n", 2048) }, "INVALID_NAME"},
		"no destination":          {func(h *brokerdv1.UploadHeader) { h.Destination = "" }, "INVALID_HEADER"},
		"unknown destination":     {func(h *brokerdv1.UploadHeader) { h.Destination = "nowhere" }, "UNKNOWN_DESTINATION"},
		"destination of others":   {func(h *brokerdv1.UploadHeader) { h.Destination = "audit" }, "PEER_NOT_ALLOWED"},
		"content type with CRLF":  {func(h *brokerdv1.UploadHeader) { h.ContentType = "a\r\nx-amz-acl: public-read" }, "INVALID_HEADER"},
		"metadata with CRLF":      {func(h *brokerdv1.UploadHeader) { h.Metadata = map[string]string{"a": "b\r\nc"} }, "INVALID_HEADER"},
		"reserved metadata":       {func(h *brokerdv1.UploadHeader) { h.Metadata = map[string]string{"brokerd-id": "x"} }, "INVALID_HEADER"},
		"metadata key upper case": {func(h *brokerdv1.UploadHeader) { h.Metadata = map[string]string{"A": "x"} }, "INVALID_HEADER"},
		"too much metadata": {func(h *brokerdv1.UploadHeader) { h.Metadata = map[string]string{"a": strings.Repeat("x", 1024)} },
			"INVALID_HEADER"},
	} {
		t.Run(name, func(t *testing.T) {
			h := header("fine")
			tc.mutate(h.GetHeader())
			_ = wantFault(t, d.raw(t, h), tc.reason)
		})
	}
}

func TestRefusalNamesTheRuleThatWouldAllow(t *testing.T) {
	d := serverFor(t)
	_, err := d.Upload(t.Context(), "audit", "n", strings.NewReader("x"))
	e := wantFault(t, err, "PEER_NOT_ALLOWED")
	if e.Code != codes.PermissionDenied || !strings.Contains(e.Message, `destinations: ["audit"]`) || !strings.Contains(e.Message, "upload") {
		t.Errorf("the refusal shows no rule: %s", e.Message)
	}
	// Root sees all; a user with no rule must not learn what there is.
	if err := d.server.policy.unknown(access.Peer{UID: 4000, GID: 4000}, "adit"); strings.Contains(err.Error(), "audit") {
		t.Errorf("a stranger to \"audit\" was told of it: %s", err)
	}
}

// gRPC itself answers here, before there is a message to look at.
func TestMessageFarOverTheLimitIsNotTakenIn(t *testing.T) {
	d := serverFor(t)
	err := d.raw(t, header("n"), chunk(make([]byte, 3<<20)))
	var e *client.Error
	if !errors.As(err, &e) || e.Code != codes.ResourceExhausted || !strings.Contains(e.Message, "larger than max") {
		t.Errorf("got %v", err)
	}
	if len(d.sink.objects) != 0 {
		t.Error("an object came of it")
	}
}

func TestClientKilledMidStreamLeavesNothing(t *testing.T) {
	d := serverFor(t)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := d.Broker().Upload(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(header("n")); err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(chunk([]byte("half of it"))); err != nil {
		t.Fatal(err)
	}
	md, err := stream.Header() // the daemon has accepted the header
	if err != nil || len(md.Get(UploadIDHeader)) != 1 {
		t.Fatalf("no upload id: %v, %v", md, err)
	}
	cancel()
	id := md.Get(UploadIDHeader)[0]
	deadline, done := context.WithTimeout(t.Context(), 10*time.Second)
	defer done()
	for {
		got, err := d.Broker().GetUpload(deadline, &brokerdv1.GetUploadRequest{UploadId: id})
		if err != nil {
			t.Fatal(err)
		}
		if got.GetState() == brokerdv1.UploadState_UPLOAD_STATE_FAILED {
			if got.GetFailureReason() != "CANCELED" {
				t.Errorf("failure reason %s", got.GetFailureReason())
			}
			break
		}
	}
	if len(d.sink.objects) != 0 {
		t.Error("an object came of it")
	}
}

func TestSilentClientIsCutOff(t *testing.T) {
	d := serverFor(t, func(c *config.Config, _ *Options) { c.Limits.IdleTimeout = config.Duration(50 * time.Millisecond) })
	stream, err := d.Broker().Upload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(header("n")); err != nil {
		t.Fatal(err)
	}
	_ = wantFault(t, d.FromError(stream.RecvMsg(&brokerdv1.UploadResponse{})), "CLIENT_TOO_SLOW")
}

func TestFullHouseIsRefusedWithARetryTime(t *testing.T) {
	d := serverFor(t)
	for range d.budget.MaxUploads() {
		slot, err := d.budget.Admit(quota.Party{})
		if err != nil {
			t.Fatal(err)
		}
		defer slot.Release()
	}
	_, err := d.Upload(t.Context(), "logs", "n", strings.NewReader("x"), client.WithRetry(0))
	if e := wantFault(t, err, "TOO_MANY_UPLOADS"); e.RetryAfter <= 0 || !e.Temporary() {
		t.Errorf("no retry time: %+v", e)
	}
	if len(d.sink.objects) != 0 {
		t.Error("it was stored all the same")
	}
}

func TestFailureOfAWSReachesTheClientAndTheHealth(t *testing.T) {
	d := serverFor(t)
	d.sink.refused = &uploader.Error{Destination: "logs", Op: "s3:PutObject", Reason: reason.AccessDenied,
		Info: awserr.Info{Code: "AccessDenied", Message: "Access Denied", RequestID: "R1"}, Err: errors.New("x")}
	_, err := d.Upload(t.Context(), "logs", "n", strings.NewReader("x"))
	e := wantFault(t, err, "ACCESS_DENIED")
	if e.Metadata["aws_request_id"] != "R1" || !strings.Contains(e.Message, "brokerctl verify logs") {
		t.Errorf("got %+v", e)
	}
	d.server.UpdateHealth()
	serving := func(service string) healthpb.HealthCheckResponse_ServingStatus {
		resp, err := d.Health().Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		return resp.GetStatus()
	}
	if serving("logs") != healthpb.HealthCheckResponse_NOT_SERVING || serving("audit") != healthpb.HealthCheckResponse_SERVING ||
		serving("") != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: logs %v, audit %v, daemon %v", serving("logs"), serving("audit"), serving(""))
	}
	d.verifier.results = []brokerdv1.CheckResult{brokerdv1.CheckResult_CHECK_RESULT_PASS}
	if err := verifyAll(t, d.Client, "logs"); err != nil {
		t.Fatal(err)
	}
	if serving("logs") != healthpb.HealthCheckResponse_SERVING {
		t.Error("a proven path did not restore the health")
	}
}

func verifyAll(t *testing.T, c *client.Client, destination string) error {
	t.Helper()
	stream, err := c.Broker().VerifyAccess(t.Context(), &brokerdv1.VerifyAccessRequest{Destination: destination})
	if err != nil {
		return err
	}
	for {
		if _, err := stream.Recv(); err != nil {
			if status.Code(err) == codes.OK || err.Error() == "EOF" {
				return nil
			}
			return c.FromError(err)
		}
	}
}

func TestStopLetsOpenUploadsFinishAndTakesNoNewOnes(t *testing.T) {
	d := serverFor(t)
	d.sink.entered = make(chan struct{}, 1)
	stream, err := d.Broker().Upload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(header("open")); err != nil {
		t.Fatal(err)
	}
	<-d.sink.entered
	finished := make(chan bool, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		finished <- d.server.Stop(ctx)
	}()
	data := []byte("the rest")
	if err := stream.Send(chunk(data)); err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(trailer(uint64(len(data)), crcOf(data))); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.CloseAndRecv(); err != nil {
		t.Errorf("the open upload: %v", err)
	}
	if !<-finished {
		t.Error("the server was cut although nothing was open")
	}
	if string(d.sink.objects["logs/open"]) != "the rest" {
		t.Error("the open upload is not there")
	}
	if _, err := d.Upload(t.Context(), "logs", "late", strings.NewReader("x"), client.WithRetry(0)); err == nil {
		t.Error("a stopped server took an upload")
	}
}

func TestStopCutsWhatOutlivesTheGraceTime(t *testing.T) {
	d := serverFor(t)
	d.sink.entered = make(chan struct{}, 1)
	stream, err := d.Broker().Upload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(header("stuck")); err != nil {
		t.Fatal(err)
	}
	<-d.sink.entered
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if d.server.Stop(ctx) {
		t.Error("Stop says that a stuck upload finished")
	}
	if _, n := d.budget.Used(); n != 0 {
		t.Error("Stop returned before the upload had ended")
	}
	if len(d.sink.objects) != 0 {
		t.Error("an object came of it")
	}
}

func TestStopDoesNotWaitForThoseWhoWatchTheHealth(t *testing.T) {
	d := serverFor(t)
	stream, err := d.Health().Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if !d.server.Stop(ctx) {
		t.Error("a health watch held up the stop until the grace time ended")
	}
}

func TestCredentialsNeedARule(t *testing.T) {
	d := serverFor(t)
	_, err := d.Broker().GetCredentials(t.Context(), &brokerdv1.GetCredentialsRequest{Destination: "logs"})
	if f := wantFault(t, d.FromError(err), "PEER_NOT_ALLOWED"); !strings.Contains(f.Message, "allow: [credentials]") {
		t.Errorf("no rule that would help: %s", f.Message)
	}
	_, err = d.Broker().GetCredentials(t.Context(), &brokerdv1.GetCredentialsRequest{Destination: "nowhere"})
	_ = wantFault(t, d.FromError(err), "UNKNOWN_DESTINATION")
	if len(d.sessions.vended) != 0 {
		t.Fatal("a session was fetched before the decision")
	}
	d = serverFor(t, func(c *config.Config, _ *Options) { c.Access[0].Allow = []config.Permission{config.PermCredentials} })
	got, err := d.Broker().GetCredentials(t.Context(), &brokerdv1.GetCredentialsRequest{Destination: "logs"})
	if err != nil || got.GetSecretAccessKey() != "hush-secret" {
		t.Fatalf("%v, %v", got, err)
	}
	audited := false
	for _, e := range d.logs.All() {
		line := e.Message
		for k, v := range e.ContextMap() {
			line += " " + k
			if s, ok := v.(string); ok {
				line += "=" + s
			}
		}
		if strings.Contains(line, "hush") {
			t.Errorf("a secret is in the log: %s", line)
		}
		audited = audited || e.Message == "credentials issued"
	}
	if !audited {
		t.Error("the log does not say that credentials were issued")
	}
}

func TestAClientThatAsksInALoopIsSlowedDown(t *testing.T) {
	d := serverFor(t, func(c *config.Config, _ *Options) { c.Access[0].Allow = []config.Permission{config.PermCredentials} })
	var refused error
	for range 100 {
		if _, err := d.Broker().GetCredentials(t.Context(), &brokerdv1.GetCredentialsRequest{Destination: "logs"}); err != nil {
			refused = err
			break
		}
	}
	if f := wantFault(t, d.FromError(refused), "TOO_MANY_REQUESTS"); f.RetryAfter <= 0 || f.RetryAfter > time.Second {
		t.Errorf("to be tried again after %s", f.RetryAfter)
	}
}

func keepAlive() *brokerdv1.UploadRequest {
	return &brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_KeepAlive{KeepAlive: &brokerdv1.KeepAlive{}}}
}

// Keep-alive messages are no part of the object.
func TestKeepAliveMessagesAreNoData(t *testing.T) {
	d := serverFor(t, func(c *config.Config, _ *Options) { c.Limits.IdleTimeout = config.Duration(40 * time.Second) })
	stream, err := d.Broker().Upload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	send := func(m *brokerdv1.UploadRequest) {
		t.Helper()
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	send(header("n"))
	md, err := stream.Header() // the daemon waits for more
	if err != nil || len(md.Get(IdleTimeoutHeader)) != 1 || md.Get(IdleTimeoutHeader)[0] != "40s" {
		t.Fatalf("the header is %v, %v", md, err)
	}
	send(keepAlive())
	send(chunk([]byte("data")))
	send(keepAlive())
	send(trailer(4, crcOf([]byte("data"))))
	if _, err := stream.CloseAndRecv(); err != nil || string(d.sink.objects["logs/n"]) != "data" {
		t.Errorf("got %v and %q", err, d.sink.objects["logs/n"])
	}
}
