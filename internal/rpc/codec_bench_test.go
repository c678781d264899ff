package rpc

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/intake"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// stockFrames receives messages as the stock codec gives them.
type stockFrames struct{ grpc.ServerStream }

func (s stockFrames) RecvMsg(v any) error {
	f, ok := v.(*frame)
	if !ok {
		return errors.New("not a frame")
	}
	f.msg = &brokerdv1.UploadRequest{}
	return s.ServerStream.RecvMsg(f.msg)
}

// BenchmarkReceive measures the processor time of the receiving side only: the
// sender is a process of its own.
func BenchmarkReceive(b *testing.B) {
	const size = 256 << 20
	for name, wrap := range map[string]func(grpc.ServerStream) uploadStream{
		"stock":     func(s grpc.ServerStream) uploadStream { return stockFrames{s} },
		"zero-copy": func(s grpc.ServerStream) uploadStream { return s },
	} {
		b.Run(name, func(b *testing.B) {
			page := make([]byte, 64<<10)
			socket := (&reception{wrap: wrap, read: func(in *intake.Stream) error {
				for {
					if _, err := in.Read(page); errors.Is(err, io.EOF) {
						return nil
					} else if err != nil {
						return err
					}
				}
			}}).serve(b)
			b.SetBytes(size)
			before := processorTime(b)
			b.ResetTimer()
			for b.Loop() {
				sender := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestSendForBenchmark$")
				sender.Env = append(os.Environ(), "BENCH_SOCKET="+socket, "BENCH_SIZE="+strconv.Itoa(size))
				if out, err := sender.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N)/size, "cpu-ns/B")
		})
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestSendForBenchmark is the sender of BenchmarkReceive.
func TestSendForBenchmark(t *testing.T) {
	socket, size := os.Getenv("BENCH_SOCKET"), os.Getenv("BENCH_SIZE")
	if socket == "" {
		return // not a test by itself
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Upload(t.Context(), "d", "n", io.LimitReader(zeros{}, n)); err != nil {
		t.Fatal(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
