package cli

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/brokerd/brokerd/internal/cli/console"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// flaky answers uploads with the next error of its object's list, then stores.
type flaky struct {
	brokerdv1.UnimplementedBrokerServiceServer
	mu      sync.Mutex
	answers map[string][]error
	bodies  map[string]string
}

func (f *flaky) Upload(stream brokerdv1.BrokerService_UploadServer) error {
	var name string
	var body bytes.Buffer
	for {
		m, err := stream.Recv()
		if err != nil {
			break
		}
		if h := m.GetHeader(); h != nil {
			name = h.GetName()
		}
		body.Write(m.GetChunk())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if left := f.answers[name]; len(left) > 0 {
		f.answers[name] = left[1:]
		return left[0]
	}
	f.bodies[name] = body.String()
	return stream.SendAndClose(&brokerdv1.UploadResponse{UploadId: "id", Object: &brokerdv1.StoredObject{Key: name, Size: uint64(body.Len())}})
}

func serveFlaky(t *testing.T, answers map[string][]error) (*flaky, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "cli-") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{answers: answers, bodies: make(map[string]string)}
	server := grpc.NewServer()
	brokerdv1.RegisterBrokerServiceServer(server, f)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f, filepath.Join(dir, "s")
}

func TestUploadExitCodesAndRetries(t *testing.T) {
	busy := status.Error(codes.Unavailable, "AWS does not answer")
	refused := status.Error(codes.PermissionDenied, "not yours")
	dead := status.Error(codes.FailedPrecondition, "the key is gone")
	for _, c := range []struct {
		name    string
		answers map[string][]error
		args    []string
		code    int
		stored  []string
		tries   map[string]int
	}{
		{name: "all stored", args: []string{"a", "b"}, code: 0, stored: []string{"a", "b"}, tries: map[string]int{"a": 1, "b": 1}},
		{name: "a temporary failure is tried again, whole", answers: map[string][]error{"a": {busy, busy}}, args: []string{"a"}, code: 0,
			stored: []string{"a"}, tries: map[string]int{"a": 3}},
		{name: "a final failure is not", answers: map[string][]error{"a": {dead}}, args: []string{"a", "b"}, code: 1, stored: []string{"b"},
			tries: map[string]int{"a": 1}},
		{name: "a refusal is not", answers: map[string][]error{"a": {refused}}, args: []string{"a"}, code: 77, tries: map[string]int{"a": 1}},
		{name: "the time is over", answers: map[string][]error{"a": {busy}}, args: []string{"--retry-for=0", "a"}, code: 75,
			tries: map[string]int{"a": 1}},
		{name: "final goes before refused and temporary", answers: map[string][]error{"a": {busy}, "b": {refused}, "c": {dead}},
			args: []string{"--retry-for=0", "a", "b", "c"}, code: 1},
		{name: "refused goes before temporary", answers: map[string][]error{"a": {busy}, "b": {refused}},
			args: []string{"--retry-for=0", "a", "b"}, code: 77},
		{name: "little of standard input is kept and tried again", answers: map[string][]error{"n": {busy}}, args: []string{"--name=n", "-"},
			code: 0, tries: map[string]int{"n": 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, socket := serveFlaky(t, c.answers)
			t.Chdir(t.TempDir())
			for _, name := range []string{"a", "b", "c"} {
				if err := os.WriteFile(name, []byte("body of "+name), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out, errs bytes.Buffer
			code := Main(t.Context(), append([]string{"upload", "--socket", socket, "-d", "x", "-o", "json"}, c.args...),
				console.Streams{In: strings.NewReader("body of stdin"), Out: &out, Err: &errs})
			if code != c.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out.String(), errs.String())
			}
			for _, name := range c.stored {
				if server.bodies[name] != "body of "+name {
					t.Errorf("%s was stored as %q", name, server.bodies[name])
				}
			}
			dec := json.NewDecoder(&out)
			for dec.More() {
				var o outcome
				if err := dec.Decode(&o); err != nil {
					t.Fatal(err)
				}
				if want, ok := c.tries[o.Name]; ok && o.Tries != want {
					t.Errorf("%s took %d tries, want %d", o.Name, o.Tries, want)
				}
			}
		})
	}
}
