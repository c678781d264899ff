package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/cli/spoolcmd"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// The ids of objects in the fake spools.
const (
	idA = "01KAW3P5E2M9W7V5C1J0X8T4RA"
	idB = "01KAW3P5E2M9W7V5C1J0X8T4RB"
	idC = "01KAW3P5E2M9W7V5C1J0X8T4RC"
)

// fakeAdmin is a daemon with a spool of these objects. A nil function answers as
// the real one does.
type fakeAdmin struct {
	brokerdv1.UnimplementedAdminServiceServer
	objects []*brokerdv1.ListSpoolResponse
	bodies  map[string]string
	deny    error // answers everything
	// destinations are those of the configuration; nil is audit-logs alone.
	destinations []*brokerdv1.Destination
	paused       func(sent int)
	export       func(stream grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse]) error
	drop         func(id string) error
	drain        func(req *brokerdv1.DrainRequest, stream grpc.ServerStreamingServer[brokerdv1.DrainResponse]) error

	mu      sync.Mutex
	dropped []string
	retried []string
}

func refusal(code codes.Code, reason, text string, meta map[string]string) error {
	st, err := status.New(code, text).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "brokerd", Metadata: meta})
	if err != nil {
		return err
	}
	return st.Err()
}

func (f *fakeAdmin) find(id string) *brokerdv1.ListSpoolResponse {
	for _, o := range f.objects {
		if o.GetUploadId() == id {
			return o
		}
	}
	return nil
}

func (f *fakeAdmin) ListDestinations(context.Context, *brokerdv1.ListDestinationsRequest) (*brokerdv1.ListDestinationsResponse, error) {
	if f.destinations != nil {
		return &brokerdv1.ListDestinationsResponse{Destinations: f.destinations}, nil
	}
	return &brokerdv1.ListDestinationsResponse{Destinations: []*brokerdv1.Destination{{
		Name: "audit-logs", Spool: &brokerdv1.SpoolUsage{ParkedReason: "ACCESS_DENIED", ParkedTime: timestamppb.New(time.Unix(1_700_000_000, 0))},
	}}}, nil
}

func (f *fakeAdmin) ListSpool(req *brokerdv1.ListSpoolRequest, stream grpc.ServerStreamingServer[brokerdv1.ListSpoolResponse]) error {
	if f.deny != nil {
		return f.deny
	}
	if id := req.GetUploadId(); id != "" {
		if o := f.find(id); o != nil {
			return stream.Send(o)
		}
		return refusal(codes.NotFound, "UPLOAD_NOT_FOUND", "there is no upload "+id+" in the spool", nil)
	}
	sent := 0
	for _, o := range f.objects {
		if d := req.GetDestination(); d != "" && d != o.GetDestination() || len(req.GetStates()) > 0 &&
			!slices.Contains(req.GetStates(), o.GetState()) {
			continue
		}
		if f.paused != nil {
			f.paused(sent)
		}
		if err := stream.Send(o); err != nil {
			return err
		}
		if sent++; sent == int(req.GetLimit()) {
			break
		}
	}
	return nil
}

func (f *fakeAdmin) RetrySpool(_ context.Context, req *brokerdv1.RetrySpoolRequest) (*brokerdv1.RetrySpoolResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := uint32(0)
	for _, o := range f.objects {
		if slices.Contains(req.GetUploadIds(), o.GetUploadId()) || req.GetDestination() == "*" ||
			req.GetDestination() == o.GetDestination() {
			f.retried = append(f.retried, o.GetUploadId())
			n++
		}
	}
	if int(n) < len(req.GetUploadIds()) {
		return nil, refusal(codes.NotFound, "UPLOAD_NOT_FOUND", "no such object", nil)
	}
	return &brokerdv1.RetrySpoolResponse{Retried: n}, nil
}

func (f *fakeAdmin) ExportSpool(req *brokerdv1.ExportSpoolRequest, stream grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse]) error {
	if f.export != nil {
		return f.export(stream)
	}
	for part := range slices.Chunk([]byte(f.bodies[req.GetUploadId()]), 3) {
		if err := stream.Send(&brokerdv1.ExportSpoolResponse{Chunk: part}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeAdmin) DropSpool(_ context.Context, req *brokerdv1.DropSpoolRequest) (*brokerdv1.DropSpoolResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range req.GetUploadIds() {
		if f.drop != nil {
			if err := f.drop(id); err != nil {
				return nil, err
			}
		}
		f.dropped = append(f.dropped, id)
	}
	return &brokerdv1.DropSpoolResponse{Dropped: uint32(len(req.GetUploadIds()))}, nil
}

func (f *fakeAdmin) Drain(req *brokerdv1.DrainRequest, stream grpc.ServerStreamingServer[brokerdv1.DrainResponse]) error {
	return f.drain(req, stream)
}

// serve answers on a socket until the test ends.
func (f *fakeAdmin) serve(t *testing.T) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cli-") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	brokerdv1.RegisterAdminServiceServer(server, f)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	return socket
}

// run is one call of brokerctl.
func run(ctx context.Context, socket string, args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Main(ctx, append([]string{"--socket", socket}, args...), console.Streams{In: strings.NewReader(""), Out: &o, Err: &e})
	return code, o.String(), e.String()
}

func object(id, destination string, state brokerdv1.SpoolState, body string) *brokerdv1.ListSpoolResponse {
	return &brokerdv1.ListSpoolResponse{
		UploadId: id, Destination: destination, Name: "a.log", Key: "logs/a.log-" + id, Uid: 4_000_000_000, Size: uint64(len(body)), State: state,
		ChecksumCrc32C: base64.StdEncoding.EncodeToString(
			binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli))),
		),
		ReceivedTime: timestamppb.New(time.Now().Add(-5 * time.Hour)),
	}
}

const (
	queued     = brokerdv1.SpoolState_SPOOL_STATE_QUEUED
	delivering = brokerdv1.SpoolState_SPOOL_STATE_DELIVERING
	parked     = brokerdv1.SpoolState_SPOOL_STATE_PARKED
	dead       = brokerdv1.SpoolState_SPOOL_STATE_DEAD
)

func threeObjects() *fakeAdmin {
	refused := object(idB, "audit-logs", parked, "body of b")
	refused.Tries, refused.FailureReason, refused.FailureMessage = 3, "ACCESS_DENIED", "s3:PutObject: \x1b[31mno\nno"
	big := object(idC, "backups", dead, "body of c")
	big.FailureReason, big.FailureMessage, big.Name = "AWS_REFUSED", "EntityTooLarge", "x\x1by"
	return &fakeAdmin{
		objects: []*brokerdv1.ListSpoolResponse{object(idA, "audit-logs", queued, "body of a"), refused, big},
		bodies:  map[string]string{idA: "body of a", idB: "body of b", idC: "body of c"},
	}
}

func TestSpoolLsAsAPersonSeesIt(t *testing.T) {
	socket := threeObjects().serve(t)
	for _, c := range []struct {
		name string
		args []string
		code int
		out  string
		errs string
	}{
		{name: "all", out: `ID                          DESTINATION  STATE   SIZE  AGE    TRIES  REASON         NAME
01KAW3P5E2M9W7V5C1J0X8T4RA  audit-logs   queued  9 B   5h00m  0      -              a.log
01KAW3P5E2M9W7V5C1J0X8T4RB  audit-logs   parked  9 B   5h00m  3      ACCESS_DENIED  a.log
01KAW3P5E2M9W7V5C1J0X8T4RC  backups      dead    9 B   5h00m  0      AWS_REFUSED    x y

3 objects, 27 B: 1 queued, 1 parked, 1 dead
` + "audit-logs is parked, everything of it is kept: `brokerctl verify audit-logs` says what to repair\n"},
		{name: "the first", args: []string{"--limit", "1"},
			out: `ID                          DESTINATION  STATE   SIZE  AGE    TRIES  REASON  NAME
01KAW3P5E2M9W7V5C1J0X8T4RA  audit-logs   queued  9 B   5h00m  0      -       a.log

the first 1 object, 9 B: 1 queued; there are more
`},
		{name: "as many as there are", args: []string{"backups", "--limit", "1", "--state", "dead"},
			out: `ID                          DESTINATION  STATE  SIZE  AGE    TRIES  REASON       NAME
01KAW3P5E2M9W7V5C1J0X8T4RC  backups      dead   9 B   5h00m  0      AWS_REFUSED  x y

1 object, 9 B: 1 dead
`},
		{name: "nothing of that state", args: []string{"audit-logs", "--state", "dead,delivering"},
			out: "the spool holds nothing for audit-logs that is dead or delivering\n"},
		{name: "nothing of that state anywhere", args: []string{"--state", "delivering"}, out: "the spool holds nothing that is delivering\n"},
		{name: "a misspelt destination", args: []string{"audit-log"}, code: 1, errs: `there is no destination "audit-log"`},
		{name: "a misspelt state", args: []string{"--state", "late"}, code: console.ExitUsage, errs: "queued, delivering, parked, dead"},
		{name: "two destinations", args: []string{"a", "b"}, code: console.ExitUsage, errs: "one destination at a time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, errs := run(t.Context(), socket, append([]string{"spool", "ls"}, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.errs) {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, errs)
			}
			if d := cmp.Diff(c.out, out); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAnEmptySpoolSaysSo(t *testing.T) {
	socket := (&fakeAdmin{}).serve(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"spool", "ls"}, "the spool is empty\n"},
		{[]string{"spool", "ls", "audit-logs"}, "the spool holds nothing for audit-logs\n"},
		{[]string{"spool", "ls", "-o", "json"}, ""},
		{[]string{"spool", "retry", "--all"}, "there is no object to retry\n"},
	} {
		if code, out, errs := run(t.Context(), socket, c.args...); code != 0 || out != c.want {
			t.Errorf("%v: exit code %d, %q, want %q\n%s", c.args, code, out, c.want, errs)
		}
	}
}

// signalWriter tells how many lines were written.
type signalWriter struct {
	mu    sync.Mutex
	lines int
	more  chan struct{}
}

func (w *signalWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines += bytes.Count(p, []byte("\n"))
	select {
	case w.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (w *signalWriter) await(ctx context.Context, lines int) error {
	for {
		w.mu.Lock()
		n := w.lines
		w.mu.Unlock()
		if n >= lines {
			return nil
		}
		select {
		case <-w.more:
		case <-ctx.Done():
			return fmt.Errorf("%d lines were written, want %d", n, lines)
		}
	}
}

// The daemon sends the rest only after the command has written the first part: a command
// that collects all objects first would never end.
func TestALongSpoolIsReadAsAStream(t *testing.T) {
	for _, c := range []struct {
		format string
		page   int
	}{{"json", 1}, {"text", spoolcmd.PageRows}} {
		t.Run(c.format, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out := &signalWriter{more: make(chan struct{}, 1)}
			f := &fakeAdmin{paused: func(sent int) {
				if err := out.await(ctx, sent-sent%c.page); err != nil {
					t.Error(err)
				}
			}}
			for range 2*spoolcmd.PageRows + 50 {
				f.objects = append(f.objects, object(idA, "audit-logs", queued, "x"))
			}
			socket := f.serve(t)
			if code := Main(ctx, []string{"--socket", socket, "spool", "ls", "-o", c.format},
				console.Streams{In: strings.NewReader(""), Out: out, Err: io.Discard}); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if out.lines < len(f.objects) {
				t.Errorf("%d lines for %d objects", out.lines, len(f.objects))
			}
		})
	}
}

func TestSpoolForScripts(t *testing.T) {
	socket := threeObjects().serve(t)
	_, out, _ := run(t.Context(), socket, "spool", "ls", "-o", "json", "--state", "parked")
	var listed, shown spoolcmd.Spooled
	if err := json.Unmarshal([]byte(out), &listed); err != nil {
		t.Fatal(err)
	}
	_, out, _ = run(t.Context(), socket, "spool", "show", strings.ToLower(idB), "-o", "json")
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		t.Fatal(err)
	}
	if listed.UploadID != idB || listed.State != "parked" || listed.Size != 9 || listed.Tries != 3 || listed.Reason != "ACCESS_DENIED" ||
		listed.Error != "s3:PutObject: \x1b[31mno\nno" {
		t.Errorf("listed %+v", listed)
	}
	if shown.ParkedSince == nil || shown.ParkedSince.Unix() != 1_700_000_000 ||
		!strings.Contains(shown.Fix, "brokerctl verify audit-logs") {
		t.Errorf("shown %+v", shown)
	}
}

func TestSpoolShowSaysWhatToDo(t *testing.T) {
	f := threeObjects()
	socket := f.serve(t)
	code, out, errs := run(t.Context(), socket, "spool", "show", idB)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	for _, want := range []string{"parked since 2023-11-14T22:13:20Z", "uid 4000000000", "9 B (9 bytes)", "3 since the daemon started",
		"ACCESS_DENIED", "brokerctl verify audit-logs", "s3:PutObject: [31mno no"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("a terminal would obey this: %q", out)
	}
	for _, c := range []struct {
		state  brokerdv1.SpoolState
		reason string
		want   string
	}{
		{delivering, "", "is delivering it"},
		{queued, "", "waits for its first"},
		{queued, "NETWORK", "retries it with growing pauses"},
		{parked, "UNKNOWN_DESTINATION", "brokerctl reload"},
		{dead, "CORRUPT", "the bytes before the damage"},
		{dead, "MISSING", "Another program removed the file"},
		{dead, "RESPONSE_MISMATCH", "S3 has the object"},
		{dead, "AWS_REFUSED", "accepts others"},
		{brokerdv1.SpoolState_SPOOL_STATE_UNREADABLE, "UNREADABLE", "reads it again"},
		{brokerdv1.SpoolState_SPOOL_STATE_QUARANTINED, "CORRUPT", "brokerctl spool drop"},
	} {
		if got := spoolcmd.SpoolFix(spoolcmd.Spooled{
			UploadID: idA, Destination: "d", State: spoolcmd.SpoolStates[c.state], Reason: c.reason,
		}); !strings.Contains(got, c.want) {
			t.Errorf("%v %s: %s", c.state, c.reason, got)
		}
	}
}

func TestIDsThatAreNone(t *testing.T) {
	socket := threeObjects().serve(t)
	other := "01KAW3P5E2M9W7V5C1J0X8T4RZ"
	for _, c := range []struct {
		args []string
		code int
		errs string
	}{
		{[]string{"show", "a.log"}, console.ExitUsage, `"a.log" is not the id of an upload`},
		{[]string{"export", "-f", "-", idA + "0"}, console.ExitUsage, "26 letters and digits"},
		{[]string{"retry", idA, "x"}, console.ExitUsage, `"x" is not`},
		{[]string{"drop", "--yes", "x"}, console.ExitUsage, `"x" is not`},
		{[]string{"show", other}, console.ExitFailed, "UPLOAD_NOT_FOUND"},
		{[]string{"export", "-f", "-", other}, console.ExitFailed, "UPLOAD_NOT_FOUND"},
		{[]string{"show"}, console.ExitUsage, "accepts 1 arg"},
		{[]string{"frobnicate"}, console.ExitUsage, "unknown command"},
	} {
		if code, _, errs := run(t.Context(), socket, append([]string{"spool"}, c.args...)...); code != c.code ||
			!strings.Contains(errs, c.errs) {
			t.Errorf("%v: exit code %d, want %d\n%s", c.args, code, c.code, errs)
		}
	}
}

func TestSpoolRetry(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		code    int
		out     string
		errs    string
		retried []string
	}{
		{name: "by id, each once", args: []string{idA, idC, idA}, out: "2 objects are retried\n", retried: []string{idA, idC}},
		{name: "the others go on when one is not there", args: []string{idA, "01KAW3P5E2M9W7V5C1J0X8T4RZ", idB}, code: 1,
			out: "2 objects are retried\n", errs: "UPLOAD_NOT_FOUND", retried: []string{idA, idB}},
		{name: "a destination", args: []string{"-d", "audit-logs"}, out: "2 objects of audit-logs are retried\n", retried: []string{idA, idB}},
		{name: "everything", args: []string{"--all"}, out: "3 objects are retried\n", retried: []string{idA, idB, idC}},
		{name: "a misspelt destination", args: []string{"-d", "audit"}, code: 1, errs: `no destination "audit"`},
		{name: "nothing named", code: console.ExitUsage, errs: "name objects"},
		{name: "both", args: []string{idA, "--all"}, code: console.ExitUsage, errs: "do not go together"},
		{name: "a destination and all", args: []string{"-d", "audit-logs", "--all"}, code: console.ExitUsage, errs: "do not go together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := threeObjects()
			code, out, errs := run(t.Context(), f.serve(t), append([]string{"spool", "retry"}, c.args...)...)
			if code != c.code || out != c.out || !strings.Contains(errs, c.errs) {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out, errs)
			}
			if d := cmp.Diff(c.retried, f.retried); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSpoolDrop(t *testing.T) {
	abort := refusal(codes.FailedPrecondition, "ACCESS_DENIED", "no", map[string]string{"operation": "s3:AbortMultipartUpload"})
	for _, c := range []struct {
		name    string
		args    []string
		drop    func(string) error
		code    int
		out     string
		errs    []string
		dropped []string
	}{
		{name: "it asks, and there is nobody to ask", args: []string{idC}, code: console.ExitUsage, errs: []string{"give --yes"}},
		{name: "it says what is lost", args: []string{"--yes", idC, idB, idC}, out: "dropped 2 objects, 18 B\n",
			errs:    []string{idB, idC, "2 objects, 18 B: 1 parked, 1 dead. They were accepted and not delivered, and brokerd has no other copy."},
			dropped: []string{idC, idB}},
		{name: "what can still be delivered stays, and all others with it", args: []string{"--yes", idC, idA}, code: 1,
			errs: []string{idA + " is queued", "--force", "nothing was dropped"}},
		{name: "forced", args: []string{"--yes", "--force", idA}, out: "dropped 1 object, 9 B\n", errs: []string{"It was accepted"},
			dropped: []string{idA}},
		{name: "an unknown one stops all", args: []string{"--yes", idC, "01KAW3P5E2M9W7V5C1J0X8T4RZ"}, code: 1,
			errs: []string{"UPLOAD_NOT_FOUND", "nothing was dropped"}},
		{name: "one that fails is named, the others go", args: []string{"--yes", idB, idC}, drop: func(id string) error {
			if id == idB {
				return abort
			}
			return nil
		}, code: 1, out: "dropped 1 object, 9 B\n", errs: []string{idB + " was kept, its multipart upload could not be aborted", "--force"},
			dropped: []string{idC}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := threeObjects()
			f.drop = c.drop
			code, out, errs := run(t.Context(), f.serve(t), append([]string{"spool", "drop"}, c.args...)...)
			if code != c.code || out != c.out {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out, errs)
			}
			for _, want := range c.errs {
				if !strings.Contains(errs, want) {
					t.Errorf("%q is not in\n%s", want, errs)
				}
			}
			if d := cmp.Diff(c.dropped, f.dropped); d != "" {
				t.Error(d)
			}
		})
	}
	t.Run("one that is being delivered", func(t *testing.T) {
		f := &fakeAdmin{objects: []*brokerdv1.ListSpoolResponse{object(idA, "audit-logs", delivering, "x")}}
		if code, _, errs := run(t.Context(), f.serve(t), "spool", "drop", "--yes", "--force", idA); code != 1 ||
			!strings.Contains(errs, "being delivered") || len(f.dropped) > 0 {
			t.Errorf("exit code %d\n%s", code, errs)
		}
	})
}

func TestSpoolWithoutARight(t *testing.T) {
	f := threeObjects()
	f.deny = refusal(codes.PermissionDenied, "ADMIN_ONLY", "not you", nil)
	socket := f.serve(t)
	for _, args := range [][]string{{"ls"}, {"show", idA}, {"export", "-f", "-", idA}, {"drop", "--yes", idA, idB}} {
		code, _, errs := run(t.Context(), socket, append([]string{"spool"}, args...)...)
		if code != console.ExitRefused || strings.Count(errs, "ADMIN_ONLY") != 1 {
			t.Errorf("%v: exit code %d\n%s", args, code, errs)
		}
	}
	gone := filepath.Join(t.TempDir(), "none")
	for _, args := range [][]string{{"spool", "ls"}, {"spool", "retry", idA, idB}, {"spool", "drop", "--yes", idA, idB}, {"drain"}} {
		code, _, errs := run(t.Context(), gone, args...)
		if code != console.ExitTemporary || strings.Count(errs, "no answer from brokerd") != 1 {
			t.Errorf("%v without a daemon: exit code %d\n%s", args, code, errs)
		}
	}
}

func TestSpoolExport(t *testing.T) {
	send := func(stream grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse], texts ...string) error {
		for _, text := range texts {
			if err := stream.Send(&brokerdv1.ExportSpoolResponse{Chunk: []byte(text)}); err != nil {
				return err
			}
		}
		return nil
	}
	type exporting = grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse]
	for _, c := range []struct {
		name   string
		args   []string
		export func(exporting) error
		exists string // content of the file before
		code   int
		want   string // content of the file afterwards; empty: no file
		errs   string
	}{
		{name: "whole", want: "body of a"},
		{name: "a file that exists is kept", exists: "mine", code: 1, want: "mine", errs: "exists: --force"},
		{name: "a file that exists is replaced when asked", args: []string{"--force"}, exists: "mine", want: "body of a"},
		{name: "bytes that differ", export: func(s exporting) error { return send(s, "body ", "of b") }, code: 1, errs: "is not the object"},
		{name: "bytes that are missing", export: func(s exporting) error { return send(s, "body of") }, code: 1, errs: "7 bytes"},
		{name: "damage", args: []string{"--force"}, exists: "mine", want: "mine",
			export: func(s exporting) error { return errors.Join(send(s, "body"), status.Error(codes.DataLoss, "damaged")) }, code: 1,
			errs: "damaged"},
		{name: "a file that comes meanwhile is kept", export: func(s exporting) error {
			return errors.Join(os.WriteFile("f", []byte("somebody's"), 0o600), send(s, "body of a"))
		}, code: 1, want: "somebody's", errs: "exists: --force"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := threeObjects()
			f.export = c.export
			socket := f.serve(t)
			t.Chdir(t.TempDir())
			if c.exists != "" {
				if err := os.WriteFile("f", []byte(c.exists), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			code, _, errs := run(t.Context(), socket, append([]string{"spool", "export", idA, "-f", "f"}, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.errs) {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, errs)
			}
			got, err := os.ReadFile("f")
			if string(got) != c.want || err != nil && c.want != "" {
				t.Errorf("the file holds %q, want %q (%v)", got, c.want, err)
			}
			if left, _ := filepath.Glob(".*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	t.Run("named by the id, for its owner only", func(t *testing.T) {
		socket := threeObjects().serve(t)
		t.Chdir(t.TempDir())
		if code, out, errs := run(t.Context(), socket, "spool", "export", idB); code != 0 ||
			!strings.Contains(out, idB+" -> "+idB+" (9 B, CRC32C ") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		if info, err := os.Stat(idB); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	})
	t.Run("to standard output", func(t *testing.T) {
		f := threeObjects()
		socket := f.serve(t)
		if code, out, errs := run(t.Context(), socket, "spool", "export", idB, "-f", "-"); code != 0 || out != "body of b" ||
			!strings.Contains(errs, "verified") {
			t.Errorf("exit code %d, %q\n%s", code, out, errs)
		}
		f.export = func(s exporting) error { return send(s, "body of c") }
		if code, _, errs := run(t.Context(), socket, "spool", "export", idB, "-f", "-"); code != 1 || strings.Contains(errs, "verified") {
			t.Errorf("exit code %d\n%s", code, errs)
		}
	})
	t.Run("what is no file is not replaced", func(t *testing.T) {
		socket := threeObjects().serve(t)
		dir := t.TempDir()
		if err := os.Symlink("elsewhere", filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{dir: "is a directory", filepath.Join(dir, "link"): "not a regular file",
			filepath.Join(dir, "no", "f"): "no such file"} {
			if code, _, errs := run(t.Context(), socket, "spool", "export", "--force", idA, "-f", path); code != 1 ||
				!strings.Contains(errs, want) {
				t.Errorf("%s: exit code %d\n%s", path, code, errs)
			}
		}
	})
}
