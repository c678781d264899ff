package rpc

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// messages is a stream of encoded messages as a fuzzer wrote them.
type messages struct {
	ctx  context.Context
	left [][]byte
	pool *poison // where the bytes are, if not nil
}

func (m *messages) Context() context.Context { return m.ctx }

func (m *messages) SetHeader(metadata.MD) error { return nil }

func (m *messages) SendHeader(metadata.MD) error { return nil }

func (m *messages) RecvMsg(v any) error {
	if len(m.left) == 0 {
		return io.EOF
	}
	next := mem.BufferSlice{mem.SliceBuffer(m.left[0])}
	if m.pool != nil {
		next = m.pool.buffers(m.left[0], 16<<10)
	}
	m.left = m.left[1:]
	defer next.Free()
	return newCodec().Unmarshal(next, v)
}

// trailers remembers the last trailer that was received.
type trailers struct {
	streamSender
	last *intake.Trailer
}

func (r *trailers) Receive(m *intake.Message) error {
	err := r.streamSender.Receive(m)
	if m.Trailer != nil {
		r.last = m.Trailer
	}
	return err
}

// Whatever comes, a body ends well only with a trailer that states what arrived.
func FuzzBody(f *testing.F) {
	data := []byte("bytes")
	good, err := proto.Marshal(trailer(uint64(len(data)), crcOf(data)))
	if err != nil {
		f.Fatal(err)
	}
	head, err := proto.Marshal(header("n"))
	if err != nil {
		f.Fatal(err)
	}
	one, err := proto.Marshal(chunk(data))
	if err != nil {
		f.Fatal(err)
	}
	server := bareIntake(f)
	f.Add(head, one, good)
	f.Add(head, good, one)
	f.Add(head, head, good)
	f.Add(head, one, []byte{})
	f.Add(one, one, good)
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		stream := &messages{ctx: ctx}
		for _, raw := range [][]byte{a, b, c} {
			if proto.Unmarshal(raw, &brokerdv1.UploadRequest{}) != nil {
				return
			}
			stream.left = append(stream.left, raw)
		}
		heard := &trailers{streamSender: streamSender{stream: stream}}
		in := server.NewStream(ctx, heard, intake.StreamLimits{Idle: time.Minute, MaxObject: 1 << 20})
		defer in.Release()
		if _, err := in.Header(); err != nil {
			return
		}
		got, err := io.ReadAll(in)
		if err != nil {
			var f *reason.Error
			if !errors.As(err, &f) || f.Reason == "" {
				t.Errorf("an error without a reason: %v", err)
			}
			return
		}
		if heard.last == nil {
			t.Fatal("a body ended well without a trailer")
		}
		if in.Verify(int64(len(got)), crcOf(got)) == nil && (heard.last.Length != uint64(len(got)) || heard.last.CRC32C != crcOf(got)) {
			t.Error("a trailer that states something else was accepted")
		}
	})
}
