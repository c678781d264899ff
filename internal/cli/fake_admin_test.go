package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

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
