package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	stock "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/health"
	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/uploader"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// poison is a pool that overwrites released buffers, never reuses them,
// and counts the buffers in use.
type poison struct {
	mu  sync.Mutex
	out map[*[]byte]bool
	bad int
}

func (p *poison) Get(n int) *[]byte {
	b := make([]byte, n, max(n, 2048)) // below that gRPC does not count references
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.out == nil {
		p.out = make(map[*[]byte]bool)
	}
	p.out[&b] = true
	return &b
}

func (p *poison) Put(b *[]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.out[b] {
		p.bad++
	}
	delete(p.out, b)
	whole := (*b)[:cap(*b)]
	for i := range whole {
		whole[i] = 0xdb
	}
}

func (p *poison) counts() (out, bad int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.out), p.bad
}

// buffers is raw in pieces of step bytes, as it might come off the wire.
func (p *poison) buffers(raw []byte, step int) mem.BufferSlice {
	var out mem.BufferSlice
	for len(raw) > 0 {
		n := min(step, len(raw))
		b := p.Get(n)
		copy(*b, raw)
		out, raw = append(out, mem.NewBuffer(b, p)), raw[n:]
	}
	return out
}

// For every input, in any pieces, the codec accepts and refuses the same as the stock
// one, finds the same in it, and gives every buffer back once.
func FuzzCodec(f *testing.F) {
	add := func(m *brokerdv1.UploadRequest, step int) {
		raw, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, step)
	}
	data := bytes.Repeat([]byte("0123456789"), 40)
	for _, step := range []int{1, 2, 3, 7, 1 << 20} {
		add(chunk(data), step)
		add(chunk([]byte("x")), step)
		add(chunk(nil), step)
		add(header("n"), step)
		add(trailer(3, 4), step)
	}
	f.Add([]byte{0x12, 0x81, 0x00, 'x'}, 9)                   // a length longer than need be
	f.Add([]byte{0x92, 0x00, 0x01, 'x'}, 9)                   // a tag longer than need be
	f.Add([]byte{0x12, 0x01, 'x', 0x12, 0x01, 'y'}, 9)        // two chunks: the last counts
	f.Add([]byte{0x12, 0x01, 'x', 0x78, 0x01}, 9)             // an unknown field
	f.Add([]byte{0x12, 0x05, 'x'}, 9)                         // cut short
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0x7f, 'x'}, 9) // a length out of all bounds
	f.Add([]byte{0x12, 0x01, 'x', 0x0a, 0x02, 0x0a, 0x00}, 9) // chunk, then header
	f.Add([]byte{0x12}, 1)
	f.Fuzz(func(t *testing.T, raw []byte, step int) {
		if len(raw) > 4096 {
			return // nothing new, and slow
		}
		step = max(step, 1, len(raw)/64)
		want := &brokerdv1.UploadRequest{}
		wantErr := encoding.GetCodecV2(stock.Name).Unmarshal(mem.BufferSlice{mem.SliceBuffer(raw)}, want)

		p := &poison{}
		in := p.buffers(raw, step)
		var got frame
		err := newCodec().Unmarshal(in, &got)
		in.Free() // as gRPC does, whatever came of it
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%v, the stock codec says %v", err, wantErr)
		}
		if err == nil && got.chunk != nil {
			if got.msg != nil || got.chunk.Len() == 0 || !bytes.Equal(got.chunk.Materialize(), want.GetChunk()) {
				t.Errorf("the chunk differs: %x, want %x", got.chunk.Materialize(), want.GetChunk())
			}
			if len(want.ProtoReflect().GetUnknown()) > 0 {
				t.Error("unknown fields were passed over")
			}
		}
		if err == nil && got.chunk == nil && !proto.Equal(got.msg, want) {
			t.Errorf("%v, want %v", got.msg, want)
		}
		got.free()
		if out, bad := p.counts(); out != 0 || bad != 0 {
			t.Errorf("%d buffers were not given back, %d twice", out, bad)
		}
	})
}

// The codec must save the copies for the messages that real clients send.
func TestAChunkOfAnOrdinaryClientIsNotCopied(t *testing.T) {
	raw, err := proto.Marshal(chunk(make([]byte, intake.MaxChunk)))
	if err != nil {
		t.Fatal(err)
	}
	p := &poison{}
	in := p.buffers(raw, 16<<10)
	var got frame
	if err := newCodec().Unmarshal(in, &got); err != nil {
		t.Fatal(err)
	}
	if got.chunk == nil || &got.chunk[1].ReadOnlyData()[0] != &in[1].ReadOnlyData()[0] {
		t.Error("the bytes were moved")
	}
	in.Free()
	got.free()
}

// bareIntake is an Intake that delivers nothing.
func bareIntake(tb testing.TB) *intake.Intake {
	tb.Helper()
	budget, err := uploader.NewBudget(4 << 20)
	if err != nil {
		tb.Fatal(err)
	}
	in, err := intake.New(intake.Options{
		Policy: &policy{}, Deliver: &sink{}, Admission: budget, Stats: health.NewStats(nil), Meter: &meter{}, Logger: zap.NewNop(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(in.Close)
	return in
}

// reception is a server whose uploads are read by a function of the test.
type reception struct {
	brokerdv1.UnimplementedBrokerServiceServer
	read func(*intake.Stream) error
	wrap func(grpc.ServerStream) uploadStream

	intake *intake.Intake
}

func (r *reception) Upload(stream brokerdv1.BrokerService_UploadServer) error {
	var s uploadStream = stream
	if r.wrap != nil {
		s = r.wrap(stream)
	}
	b := r.intake.NewStream(s.Context(), &streamSender{stream: s}, intake.StreamLimits{Idle: time.Minute, MaxObject: 1 << 40})
	defer b.Release()
	if _, err := b.Header(); err != nil {
		return err
	}
	if err := r.read(b); err != nil {
		return err
	}
	return stream.SendAndClose(&brokerdv1.UploadResponse{UploadId: "x", State: brokerdv1.UploadState_UPLOAD_STATE_STORED})
}

func (r *reception) serve(tb testing.TB, opts ...grpc.ServerOption) (socket string) {
	tb.Helper()
	dir, err := os.MkdirTemp("", "codec")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		tb.Fatal(err)
	}
	server := grpc.NewServer(append([]grpc.ServerOption{grpc.ForceServerCodecV2(newCodec()), grpc.MaxRecvMsgSize(maxMessage),
		grpc.WaitForHandlers(true), grpc.StaticStreamWindowSize(1 << 20), grpc.StaticConnWindowSize(4 << 20)}, opts...)...)
	r.intake = bareIntake(tb)
	brokerdv1.RegisterBrokerServiceServer(server, r)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	tb.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	return filepath.Join(dir, "s")
}

// Memory that was given back too early would show: the pool overwrites it.
func TestAStreamOverAPoisonedPoolArrivesByteForByte(t *testing.T) {
	data := bytes.Repeat([]byte("all work and no play "), 100_000)
	p := &poison{}
	socket := (&reception{read: func(b *intake.Stream) error {
		got, err := io.ReadAll(b)
		if err == nil && !bytes.Equal(got, data) {
			err = errors.New("the bytes differ")
		}
		return err
	}}).serve(t, experimental.BufferPool(p))
	c, err := client.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for range 5 {
		if _, err := c.Upload(t.Context(), "d", "n", bytes.NewReader(data)); err != nil {
			t.Error(err)
		}
	}
	if _, bad := p.counts(); bad != 0 {
		t.Errorf("%d buffers were given back twice", bad)
	}
}

// Memory that is never given back would show: the pool counts.
func TestBuffersOfAStreamAreFreedOnceOnEveryWay(t *testing.T) {
	stop := errors.New("interrupted")
	for name, read := range map[string]func(*intake.Stream){
		"read to the end": func(b *intake.Stream) { _, _ = io.ReadAll(b) },
		"never read":      func(*intake.Stream) {},
		"read in part":    func(b *intake.Stream) { _, _ = io.ReadFull(b, make([]byte, 300_000)) },
		"interrupted":     func(b *intake.Stream) { _, _ = b.Read(make([]byte, 9)); b.Interrupt(stop); _, _ = io.ReadAll(b) },
		"over the limit":  func(b *intake.Stream) { _, _ = io.ReadAll(b) },
		"size mismatch":   func(b *intake.Stream) { _, _ = io.ReadAll(b) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &poison{}
				ctx, cancel := context.WithCancel(t.Context())
				stream := &messages{ctx: ctx, pool: p}
				first, limit := header("n"), int64(1<<20)
				switch name {
				case "over the limit":
					limit = 100_000
				case "size mismatch":
					n := uint64(100_000)
					first.GetHeader().Size = &n
				}
				for _, m := range []*brokerdv1.UploadRequest{first, chunk(make([]byte, intake.MaxChunk)), chunk(make([]byte, intake.MaxChunk)),
					chunk(make([]byte, intake.MaxChunk)), trailer(3*intake.MaxChunk, 0)} {
					raw, err := proto.Marshal(m)
					if err != nil {
						t.Fatal(err)
					}
					stream.left = append(stream.left, raw)
				}
				in := bareIntake(t)
				defer in.Close()
				b := in.NewStream(ctx, &streamSender{stream: stream}, intake.StreamLimits{Idle: time.Minute, MaxObject: limit})
				if _, err := b.Header(); err != nil {
					t.Fatal(err)
				}
				read(b)
				b.Release()
				cancel()
				synctest.Wait()
				if _, err := b.Read(make([]byte, 1)); err == nil {
					t.Error("read on after the end of the stream")
				}
				if out, bad := p.counts(); out != 0 || bad != 0 {
					t.Errorf("%d buffers were not given back, %d twice", out, bad)
				}
			})
		})
	}
}
