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
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// patient is a daemon that records the kinds of messages of an upload.
type patient struct {
	brokerdv1.UnimplementedBrokerServiceServer
	idle string // of the response header; empty: none is sent

	mu     sync.Mutex
	header *brokerdv1.UploadHeader
	chunks []string
	beats  int
	beat   chan struct{} // told at each keep-alive message
	first  chan struct{} // closed at the first chunk
	once   sync.Once
}

func (p *patient) Upload(stream brokerdv1.BrokerService_UploadServer) error {
	if p.idle != "" {
		if err := stream.SendHeader(metadata.Pairs(idleHeader, p.idle)); err != nil {
			return err
		}
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&brokerdv1.UploadResponse{UploadId: "x", State: brokerdv1.UploadState_UPLOAD_STATE_STORED})
		}
		if err != nil {
			return err
		}
		p.mu.Lock()
		switch part := m.GetPart().(type) {
		case *brokerdv1.UploadRequest_Header:
			p.header = part.Header
		case *brokerdv1.UploadRequest_Chunk:
			p.chunks = append(p.chunks, string(part.Chunk))
			p.once.Do(func() { close(p.first) })
		case *brokerdv1.UploadRequest_KeepAlive:
			p.beats++
			select {
			case p.beat <- struct{}{}:
			default:
			}
		}
		p.mu.Unlock()
	}
}

func servePatient(t *testing.T, p *patient) *Client {
	t.Helper()
	p.beat, p.first = make(chan struct{}, 1), make(chan struct{})
	dir, err := os.MkdirTemp("", "slow")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.WaitForHandlers(true))
	brokerdv1.RegisterBrokerServiceServer(server, p)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

// A pipe that says nothing for longer than the daemon's idle timeout is kept alive, and
// bytes that a slow producer has written are not held back.
func TestASilentProducerIsKeptAlive(t *testing.T) {
	p := &patient{idle: "30ms"}
	c := servePatient(t, p)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	go func() {
		<-p.beat // it is silent until the client has shown that it is alive
		_, _ = w.WriteString("first ")
		<-p.first // held back, this would never be
		_, _ = w.WriteString("last")
		_ = w.Close()
	}()
	if _, err := c.Upload(t.Context(), "d", "n", r); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.chunks, ""); got != "first last" {
		t.Errorf("got %q, want %q", got, "first last")
	}
}

// A daemon that does not announce an idle timeout knows no keep-alive messages.
func TestAnOldDaemonGetsNoKeepAlive(t *testing.T) {
	p := &patient{}
	c := servePatient(t, p)
	r, w := io.Pipe()
	go func() {
		_, _ = w.Write([]byte("x"))
		<-p.first
		_ = w.Close()
	}()
	if _, err := c.Upload(t.Context(), "d", "n", r); err != nil || p.beats != 0 {
		t.Errorf("got %v and %d keep-alive messages, want none", err, p.beats)
	}
}

// The end of ctx ends an upload whose producer is silent, and one that waits for the
// writer of a named pipe.
func TestCancelEndsAWaitForTheProducer(t *testing.T) {
	p := &patient{idle: "30ms"}
	c := servePatient(t, p)
	r, w := io.Pipe()
	defer func() { _ = w.Close() }()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, upload := range map[string]func(context.Context) error{
		"a silent pipe": func(ctx context.Context) error { _, err := c.Upload(ctx, "d", "n", r); return err },
		"a FIFO":        func(ctx context.Context) error { _, err := c.UploadFile(ctx, "d", "n", fifo); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := upload(ctx); !errors.Is(err, context.DeadlineExceeded) || MayBeStored(err) {
			t.Errorf("%s: got %v", name, err)
		}
		cancel()
	}
	// The writer still comes: the open of the named pipe ends, and closes the file.
	if f, err := os.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
		_ = f.Close()
	}
}

// The daemon's refusal ends an upload while its producer is silent.
func TestARefusalDoesNotWaitForTheProducer(t *testing.T) {
	f := &fake{answers: []error{answer(codes.PermissionDenied, "PEER_NOT_ALLOWED")}, early: true}
	c := serveFake(t, f)
	r, w := io.Pipe()
	defer func() { _ = w.Close() }()
	_, err := c.Upload(t.Context(), "d", "n", r)
	var e *Error
	if !errors.As(err, &e) || e.Reason != "PEER_NOT_ALLOWED" {
		t.Errorf("got %v", err)
	}
}

// A file that is rewritten while it is read is no object; one that only grows, or is
// renamed, is.
func TestAFileThatChangesWhileItIsSent(t *testing.T) {
	const size = 600 << 10
	for name, tc := range map[string]struct {
		change func(path string) error
		reason string
	}{
		"rewritten in place": {func(path string) error { return rewrite(path, bytes.Repeat([]byte("B"), size)) }, "FILE_CHANGED"},
		"rewritten, and its time set back": {func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(rewrite(path, bytes.Repeat([]byte("B"), size)), os.Chtimes(path, info.ModTime(), info.ModTime()))
		}, "FILE_CHANGED"},
		"truncated and written again": {func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("B"), 2*size), 0o600) },
			"FILE_CHANGED"},
		"grows":   {func(path string) error { return rewriteAt(path, size, []byte("more")) }, ""},
		"renamed": {func(path string) error { return os.Rename(path, path+".1") }, ""},
		"removed": {os.Remove, ""},
		"shrinks": {func(path string) error { return os.Truncate(path, 10) }, "SIZE_MISMATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			c := servePatient(t, &patient{})
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, bytes.Repeat([]byte("A"), size), 0o600); err != nil {
				t.Fatal(err)
			}
			changed := false
			_, err := c.UploadFile(t.Context(), "d", "n", path, WithStream(), WithProgress(func(int64) {
				if !changed {
					changed = true
					if err := tc.change(path); err != nil {
						t.Error(err)
					}
				}
			}))
			var e *Error
			switch {
			case tc.reason == "" && err != nil:
				t.Errorf("got %v, want success", err)
			case tc.reason != "" && (!errors.As(err, &e) || e.Reason != tc.reason || !e.Temporary() || e.MayBeStored):
				t.Errorf("got %v, want a temporary error with the reason %s", err, tc.reason)
			}
		})
	}
}

func rewrite(path string, data []byte) error { return rewriteAt(path, 0, data) }

func rewriteAt(path string, at int64, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, at)
	return errors.Join(err, f.Close())
}

func TestTextsThatAreNotUTF8(t *testing.T) {
	c := servePatient(t, &patient{})
	for name, tc := range map[string]struct {
		object, reason string
		opts           []UploadOption
	}{
		"the name":     {"caf\xe9.txt", "INVALID_NAME", nil},
		"the metadata": {"n", "INVALID_HEADER", []UploadOption{WithMetadata(map[string]string{"a": "\xff"})}},
	} {
		_, err := c.Upload(t.Context(), "d", tc.object, strings.NewReader("x"), tc.opts...)
		var e *Error
		if !errors.As(err, &e) || e.Reason != tc.reason || e.Temporary() || MayBeStored(err) {
			t.Errorf("%s: got %v, want %s", name, err, tc.reason)
		}
	}
}

func TestOptionsReachTheHeader(t *testing.T) {
	p := &patient{}
	c := servePatient(t, p)
	_, err := c.Upload(t.Context(), "d", "n", strings.NewReader("xyz"), WithContentEncoding("gzip"), WithContentType("text/plain"),
		WithSize(3), WithMetadata(map[string]string{"a": "b"}), WithIdempotencyKey("k"))
	h := p.header
	if err != nil || h.GetContentEncoding() != "gzip" || h.GetContentType() != "text/plain" || h.GetSize() != 3 ||
		h.GetMetadata()["a"] != "b" ||
		h.GetIdempotencyKey() != "k" || h.GetDestination() != "d" || h.GetName() != "n" {
		t.Errorf("got %v, %v", h, err)
	}
}
