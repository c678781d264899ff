package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// fake is a daemon that gives the answers of its list, then stores.
type fake struct {
	brokerdv1.UnimplementedBrokerServiceServer
	mu      sync.Mutex
	answers []error
	keys    []string
	bodies  map[string]string // by name
	early   bool              // answer errors at the header
	states  []brokerdv1.UploadState
}

func (f *fake) next(key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = append(f.keys, key)
	if len(f.answers) == 0 {
		return nil
	}
	err := f.answers[0]
	f.answers = f.answers[1:]
	return err
}

func (f *fake) Upload(stream brokerdv1.BrokerService_UploadServer) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	h := m.GetHeader()
	answer := f.next(h.GetIdempotencyKey())
	if answer != nil && f.early {
		return answer
	}
	var body bytes.Buffer
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		body.Write(m.GetChunk())
	}
	if answer != nil {
		return answer
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bodies[h.GetName()] = body.String()
	return stream.SendAndClose(&brokerdv1.UploadResponse{UploadId: "id", State: brokerdv1.UploadState_UPLOAD_STATE_STORED,
		Object: &brokerdv1.StoredObject{Key: h.GetName(), Size: uint64(body.Len())}})
}

func (f *fake) GetUpload(context.Context, *brokerdv1.GetUploadRequest) (*brokerdv1.GetUploadResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := f.states[0]
	if len(f.states) > 1 {
		f.states = f.states[1:]
	}
	if state == brokerdv1.UploadState_UPLOAD_STATE_UNSPECIFIED {
		return nil, status.Error(codes.Unavailable, "restarting")
	}
	return &brokerdv1.GetUploadResponse{Destination: "logs", State: state, FailureReason: "AWS_REFUSED", FailureMessage: "no"}, nil
}

func serveFake(t testing.TB, f *fake) *Client {
	t.Helper()
	f.bodies = map[string]string{}
	dir, err := os.MkdirTemp("", "client")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	brokerdv1.RegisterBrokerServiceServer(server, f)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return c
}

func answer(code codes.Code, reason string, details ...*errdetails.RetryInfo) error {
	st, err := status.New(code, reason).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "brokerd"})
	for _, d := range details {
		st, err = st.WithDetails(d)
	}
	if err != nil {
		return err
	}
	return st.Err()
}

var busy = answer(codes.Unavailable, "SHUTTING_DOWN")

func TestWhatIsTriedAgain(t *testing.T) {
	long := strings.Repeat("0123456789", 200_000)
	plain := func(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }
	for name, tc := range map[string]struct {
		body    io.Reader
		want    string
		answers []error
		early   bool
		opts    []UploadOption
		tries   int
		code    codes.Code
	}{
		"a reader that seeks, whole": {body: strings.NewReader(long), want: long, answers: []error{busy, busy}, tries: 3},
		"a reader that seeks, from where it is": {body: func() io.Reader { r := strings.NewReader(long); _, _ = r.Seek(5, 0); return r }(),
			want: long[5:], answers: []error{busy}, tries: 2},
		"a short plain reader":    {body: plain("short"), want: "short", answers: []error{busy}, tries: 2},
		"not a long plain reader": {body: plain(long), answers: []error{busy}, tries: 1, code: codes.Unavailable},
		"a long one with room": {body: plain(long), want: long, answers: []error{busy},
			opts: []UploadOption{WithReplayBuffer(2_000_000)}, tries: 2},
		"not when retries are off": {body: strings.NewReader("x"), answers: []error{busy}, opts: []UploadOption{WithRetry(0)}, tries: 1,
			code: codes.Unavailable},
		"not a refusal": {body: strings.NewReader("x"), answers: []error{answer(codes.PermissionDenied, "PEER_NOT_ALLOWED")},
			tries: 1, code: codes.PermissionDenied},
		"not a limit without a time": {body: strings.NewReader("x"), answers: []error{answer(codes.ResourceExhausted, "X")}, tries: 1,
			code: codes.ResourceExhausted},
		"a refusal at the header": {body: strings.NewReader("x"), want: "x", early: true, answers: []error{busy}, tries: 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{answers: tc.answers, early: tc.early}
			c := serveFake(t, f)
			res, err := c.Upload(t.Context(), "logs", "n", tc.body, tc.opts...)
			if len(f.keys) != tc.tries {
				t.Errorf("%d tries, want %d", len(f.keys), tc.tries)
			}
			for _, k := range f.keys {
				if k != f.keys[0] || len(k) != 26 {
					t.Errorf("the keys differ: %v", f.keys)
				}
			}
			if tc.code != codes.OK {
				var e *Error
				if !errors.As(err, &e) || e.Code != tc.code || MayBeStored(err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || res.State != Stored || res.Destination != "logs" || f.bodies["n"] != tc.want {
				t.Errorf("%v, %+v, %d bytes", err, res, len(f.bodies["n"]))
			}
		})
	}
}

func TestErrorsSayWhetherAnObjectMayExist(t *testing.T) {
	for name, tc := range map[string]struct {
		err   error
		maybe bool
	}{
		"the daemon lost the answer of S3": {answer(codes.Unavailable, "NETWORK"), true},
		"nobody answered":                  {status.Error(codes.Unavailable, "gone"), true},
		"refused":                          {answer(codes.FailedPrecondition, "ACCESS_DENIED"), false},
	} {
		c := serveFake(t, &fake{answers: []error{tc.err}})
		if _, err := c.Upload(t.Context(), "logs", "n", strings.NewReader("x"), WithRetry(0)); err == nil || MayBeStored(err) != tc.maybe {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A daemon that knows nothing of descriptors is asked once.
func TestAFileIsStreamedToADaemonThatTakesNoDescriptor(t *testing.T) {
	f := &fake{}
	c := serveFake(t, f)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("of a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UploadFile(t.Context(), "logs", "n", path); err != nil || f.bodies["n"] != "of a file" {
		t.Fatalf("%v, %q", err, f.bodies["n"])
	}
	if canHandOver && !c.streamsOnly.Load() {
		t.Error("it would be asked again")
	}
}

func TestPausesGrowHonourTheDaemonAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pauses []time.Duration
		begun := time.Now()
		err := retrying(t.Context(), time.Minute, func() bool { return true }, func(_ error, p time.Duration) { pauses = append(pauses, p) },
			func() error { return &Error{Code: codes.Unavailable} })
		if err == nil || time.Since(begun) > time.Minute || time.Since(begun) < 50*time.Second {
			t.Errorf("gave up after %s: %v", time.Since(begun), err)
		}
		for i, p := range pauses {
			most := min(firstPause<<min(i, 20), longestPause)
			if p > most || p < most/2 {
				t.Errorf("pause %d is %s, want %s to %s", i, p, most/2, most)
			}
		}
		begun = time.Now()
		n := 0
		_ = retrying(t.Context(), time.Minute, func() bool { return true }, nil, func() error {
			if n++; n > 1 {
				return nil
			}
			return &Error{Code: codes.ResourceExhausted, RetryAfter: 7 * time.Second}
		})
		if time.Since(begun) != 7*time.Second {
			t.Errorf("waited %s, the daemon said 7s", time.Since(begun))
		}
	})
}

func TestWaitAsksOnUntilTheObjectIsStored(t *testing.T) {
	c := serveFake(t, &fake{
		states: []brokerdv1.UploadState{brokerdv1.UploadState_UPLOAD_STATE_SPOOLED, 0, brokerdv1.UploadState_UPLOAD_STATE_STORED},
	})
	if res, err := c.Wait(t.Context(), "id"); err != nil || res.State != Stored || res.Destination != "logs" {
		t.Errorf("%+v, %v", res, err)
	}
	c = serveFake(t, &fake{states: []brokerdv1.UploadState{brokerdv1.UploadState_UPLOAD_STATE_DEAD}})
	var e *Error
	if _, err := c.Wait(t.Context(), "id"); !errors.As(err, &e) || e.Reason != "AWS_REFUSED" {
		t.Errorf("got %v", err)
	}
}

func TestKeysAreULIDs(t *testing.T) {
	before := newKey()
	for range 100 {
		k := newKey()
		if len(k) != 26 || k[0] > '7' || strings.Trim(k, crockford) != "" || k == before || k[:9] < before[:9] {
			t.Fatalf("%s after %s", k, before)
		}
		before = k
	}
}
