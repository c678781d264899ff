package rpc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/quota"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// other is a user without connections of its own in these tests.
var other = access.Peer{UID: 71, GID: 71}

func withOther(c *config.Config, _ *Options) {
	c.Access = append(c.Access, config.Rule{
		Peer: config.Peer{UID: "71"}, Destinations: []string{"audit"}, Allow: []config.Permission{config.PermUpload},
	})
}

const childSocket = "BROKERD_TEST_SOCKET"

// TestChildWithoutARule is the process of another user in the test below.
func TestChildWithoutARule(t *testing.T) {
	path := os.Getenv(childSocket)
	if path == "" {
		t.Skip("it is run by TestAUserWithoutARuleIsRefusedBeforeAByteIsRead")
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// Nothing is sent: an answer shows that the daemon waits for no byte.
	text, err := io.ReadAll(conn)
	if err != nil || !bytes.Contains(text, []byte("PEER_NOT_ALLOWED")) {
		t.Fatalf("got %q, %v", text, err)
	}
	c, err := client.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = c.Upload(t.Context(), "logs", "n", strings.NewReader("x"))
	if e := wantFault(t, err, "PEER_NOT_ALLOWED"); e.Code != codes.PermissionDenied || e.Temporary() {
		t.Errorf("got %+v", e)
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = c.UploadFile(t.Context(), "logs", "n", file)
	_ = wantFault(t, err, "PEER_NOT_ALLOWED")
	_, err = c.Health().Check(t.Context(), &healthpb.HealthCheckRequest{})
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("the health service answered %v", err)
	}
}

func TestAUserWithoutARuleIsRefusedBeforeAByteIsRead(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, for a process of another user")
	}
	d := serverFor(t)
	for path, mode := range map[string]os.FileMode{d.path: 0o666, filepath.Dir(d.path): 0o711} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	// The user must be able to enter the directory of the test's program.
	dir, err := os.MkdirTemp("", "child")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "rpc.test")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(program, self, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestChildWithoutARule$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), childSocket+"="+d.path, "TMPDIR=/tmp")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 64301, Gid: 64301}}
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("PASS: TestChildWithoutARule")) {
		t.Errorf("%v\n%s", err, out)
	}
	if n := d.logs.FilterMessage("connection refused").Len(); n == 0 {
		t.Error("the refusal is not in the log")
	}
}

func TestConnectionsOfOneUserLeaveRoomForAnother(t *testing.T) {
	d := serverFor(t, withOther)
	d.server.quota.SetTotal(quota.Connections, 32)
	refused := 0
	for range 40 {
		conn, err := net.Dial("unix", d.path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if text, _ := io.ReadAll(conn); bytes.Contains(text, []byte("TOO_MANY_CONNECTIONS")) {
			refused++
		}
	}
	if refused < 8 || refused > 24 {
		t.Errorf("%d of 40 connections were refused, want those beyond the share of 32", refused)
	}
	charge, refusal := d.server.admit(other)
	if refusal != nil {
		t.Fatalf("another user was refused: %v", refusal)
	}
	charge.Release()
}

func TestOpenCallsOfOneUserLeaveRoomForAnother(t *testing.T) {
	d := serverFor(t, withOther)
	refused := 0
	for range 100 {
		s, err := d.Health().Watch(t.Context(), &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil {
			_ = wantFault(t, d.FromError(err), "TOO_MANY_REQUESTS")
			refused++
		}
	}
	if refused < 10 {
		t.Errorf("%d of 100 open calls were refused, want those beyond the share of 80", refused)
	}
	party := d.server.policy.rules().Party(other)
	charge, err := d.server.quota.Take(party, quota.Calls)
	if err != nil {
		t.Errorf("another user was refused: %v", err)
	}
	charge.Release()
}

// raw is a connection that speaks HTTP/2 as the test says.
type rawHTTP2 struct {
	*http2.Framer
	net.Conn
	block bytes.Buffer
	enc   *hpack.Encoder
}

func (d *daemonUnderTest) http2(t *testing.T) *rawHTTP2 {
	t.Helper()
	conn, err := net.Dial("unix", d.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := &rawHTTP2{Framer: http2.NewFramer(conn, conn), Conn: conn}
	r.enc = hpack.NewEncoder(&r.block)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return r
}

// call opens a stream.
func (r *rawHTTP2) call(id uint32, method string) error {
	r.block.Reset()
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "x"},
		{"content-type", "application/grpc"}, {"te", "trailers"}} {
		if err := r.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	return r.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.block.Bytes(), EndHeaders: true})
}

// ended reads until the server ends the stream, and returns how long that took.
func (r *rawHTTP2) ended(t *testing.T, id uint32) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		f, err := r.ReadFrame()
		if err != nil {
			t.Fatalf("the stream did not end: %v", err)
		}
		if f.Header().StreamID != id {
			continue
		}
		switch f := f.(type) {
		case *http2.RSTStreamFrame:
			return time.Since(began)
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				return time.Since(began)
			}
		}
	}
}

func TestACallWhoseMessageDoesNotArriveEnds(t *testing.T) {
	for _, method := range []string{brokerdv1.BrokerService_GetUpload_FullMethodName, brokerdv1.BrokerService_VerifyAccess_FullMethodName} {
		d := serverFor(t, func(_ *config.Config, o *Options) { o.messageTimeout = 50 * time.Millisecond })
		r := d.http2(t)
		if err := r.call(1, method); err != nil {
			t.Fatal(err)
		}
		// 200,000 bytes are announced, and 100 come.
		if err := r.WriteData(1, false, append(binary.BigEndian.AppendUint32([]byte{0}, 200_000), make([]byte, 100)...)); err != nil {
			t.Fatal(err)
		}
		r.ended(t, 1)
		if u := d.server.quota.Usage()[quota.Calls]; u.Used != 0 {
			t.Errorf("%s: %d calls are still charged", method, u.Used)
		}
	}
}

// A handler may take longer than its message.
func TestTheMessageTimeoutDoesNotEndACallThatWaits(t *testing.T) {
	d := serverFor(t, func(_ *config.Config, o *Options) { o.messageTimeout = 50 * time.Millisecond })
	s, err := d.Health().Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	update := make(chan error, 1)
	go func() { _, err := s.Recv(); update <- err }()
	select {
	case err := <-update:
		t.Fatalf("the watch ended or changed: %v", err)
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
	}
}

func TestRapidResetsCloseTheConnection(t *testing.T) {
	d := serverFor(t)
	r := d.http2(t)
	go func() { _, _ = io.Copy(io.Discard, r.Conn) }() // the answers
	for id := uint32(1); id < 20*resetBurst; id += 2 {
		err := r.call(id, brokerdv1.BrokerService_Upload_FullMethodName)
		if err == nil {
			err = r.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		if err != nil {
			if id < resetBurst/2 {
				t.Errorf("closed after %d resets, want more to be allowed", id/2)
			}
			return
		}
	}
	t.Errorf("%d resets did not close the connection", 10*resetBurst)
}

func TestAHeaderBlockWithoutEndClosesTheConnection(t *testing.T) {
	d := serverFor(t)
	r := d.http2(t)
	go func() { _, _ = io.Copy(io.Discard, r.Conn) }() // the answers
	r.block.Reset()
	for i := range 60 { // a block of 60 KiB
		value := strings.Repeat(string(rune('a'+i%26)), 1000)
		if err := r.enc.WriteField(hpack.HeaderField{Name: "x", Value: value, Sensitive: true}); err != nil {
			t.Fatal(err)
		}
	}
	piece := r.block.Bytes()[:12<<10]
	err := r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: piece})
	for sent := len(piece); err == nil; sent += len(piece) {
		if sent > 1<<20 {
			t.Fatal("a header block of 1 MiB was taken in")
		}
		err = r.WriteContinuation(1, false, piece)
	}
}

func TestReflectionIsOffByDefault(t *testing.T) {
	d := serverFor(t)
	if _, ok := d.server.GRPC().GetServiceInfo()["grpc.reflection.v1.ServerReflection"]; ok {
		t.Error("reflection is on")
	}
	d = serverFor(t, func(c *config.Config, _ *Options) { c.Socket.Reflection = true })
	if _, ok := d.server.GRPC().GetServiceInfo()["grpc.reflection.v1.ServerReflection"]; !ok {
		t.Error("socket.reflection does not turn it on")
	}
}

func TestRefusedCallsFillNoLog(t *testing.T) {
	d := serverFor(t)
	for range 300 {
		_, err := d.Upload(t.Context(), "audit", "n", strings.NewReader("x"))
		_ = wantFault(t, err, "PEER_NOT_ALLOWED")
	}
	if n := d.logs.FilterMessage("call refused by the access rules").Len(); n == 0 || n > 30 {
		t.Errorf("got %d lines of 300 refusals, want a few a second", n)
	}
	d.server.lines.Report()
	if n := d.logs.FilterField(zap.String("reason", "PEER_NOT_ALLOWED")).FilterMessageSnippet("more of the same from uid").Len(); n != 1 {
		t.Errorf("got %d reports of the lines that were left out, want 1", n)
	}
	for range 50 {
		if _, err := d.Upload(t.Context(), "logs", "n", strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.logs.FilterMessage("upload stored").Len(); n != 0 && n != 50 {
		t.Errorf("got %d lines of 50 stored uploads", n)
	}
}

func TestVerificationsOfOneUserAreLimited(t *testing.T) {
	d := serverFor(t)
	refused := 0
	for range verifyBurst + 10 {
		s, err := d.Broker().VerifyAccess(t.Context(), &brokerdv1.VerifyAccessRequest{Destination: "logs"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); err != nil && !errors.Is(err, io.EOF) {
			if e := wantFault(t, d.FromError(err), "TOO_MANY_REQUESTS"); e.RetryAfter <= 0 {
				t.Errorf("no retry time: %+v", e)
			}
			refused++
		}
	}
	if refused < 5 {
		t.Errorf("%d of %d verifications were refused, want those beyond %d", refused, verifyBurst+10, verifyBurst)
	}
	running, err := d.server.verification(other)
	if err != nil {
		t.Errorf("another user was refused: %v", err)
	}
	running.Release()
}

func TestTinyFramesThatCompleteNoMessageCloseTheConnection(t *testing.T) {
	const credit = 5000
	d := serverFor(t, func(_ *config.Config, o *Options) { o.frames = quota.NewBalances(credit, 0) })
	r := d.http2(t)
	go func() { _, _ = io.Copy(io.Discard, r.Conn) }() // the answers
	if err := r.call(1, brokerdv1.BrokerService_Upload_FullMethodName); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteData(1, false, binary.BigEndian.AppendUint32([]byte{0}, 500_000)); err != nil {
		t.Fatal(err)
	}
	_ = r.SetWriteDeadline(time.Now().Add(time.Minute))
	for sent := 0; r.WriteData(1, false, []byte{0}) == nil; sent++ {
		if sent > 20*credit {
			t.Fatalf("%d frames of a byte were taken in", sent)
		}
	}
}

func TestSmallMessagesThatAreReadEarnTheirFramesBack(t *testing.T) {
	d := serverFor(t, func(_ *config.Config, o *Options) { o.frames = quota.NewBalances(40_000, 0) })
	stream, err := d.Broker().Upload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(header("n")); err != nil {
		t.Fatal(err)
	}
	for range 60_000 {
		if err := stream.Send(&brokerdv1.UploadRequest{Part: &brokerdv1.UploadRequest_KeepAlive{KeepAlive: &brokerdv1.KeepAlive{}}}); err != nil {
			t.Fatalf("a stream of small messages ended: %v", d.FromError(stream.RecvMsg(&brokerdv1.UploadResponse{})))
		}
	}
}
