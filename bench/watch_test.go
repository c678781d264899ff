package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/watch"
)

// accepting is a destination that takes every file at once.
type accepting struct{}

func (accepting) Key(u watch.Upload) (string, error) { return u.Name, nil }

func (accepting) Send(_ context.Context, u watch.Upload) (watch.Sent, error) {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if _, err := io.Copy(h, io.NewSectionReader(u.File, 0, u.Size)); err != nil {
		return watch.Sent{}, err
	}
	return watch.Sent{CRC32C: h.Sum32()}, u.Unchanged()
}

// BenchmarkWatch measures a directory of quiet files, scanned every 10 s: the processor
// time while nothing changes, that of one scan, and the heap that the files take.
//
//	go test -run '^$' -bench Watch -benchtime 1x ./bench
func BenchmarkWatch(b *testing.B) {
	for _, files := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(files), func(b *testing.B) { benchmarkQuiet(b, files) })
	}
}

func benchmarkQuiet(b *testing.B, files int) {
	dir := b.TempDir()
	for i := range files {
		sub := filepath.Join(dir, fmt.Sprint(i/1000))
		if i%1000 == 0 {
			if err := os.Mkdir(sub, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("app.log-%d.gz", i)), []byte("x"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	before := heap()
	c, err := config.Parse("bench", fmt.Appendf(nil, `destinations:
  logs:
    role: arn:aws:iam::111122223333:role/r
    bucket: bucket
    owner: "444455556666"
    region: eu-west-1
    kms_key: arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab
    key: "{name}-{id}"
watch:
  - {name: app, paths: ["%s/**/*.gz"], destination: logs, concurrency: 16, finished: {idle: 100ms}}
`, dir))
	if err != nil {
		b.Fatal(err)
	}
	owner := func(config.Peer) (watch.Owner, error) { return watch.Owner{UID: uint32(os.Geteuid())}, nil }
	m, err := watch.New(watch.Options{Config: c, Owner: owner, Sender: accepting{}, Logger: zap.NewNop(), Hints: watch.NewHints})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
		m.Close()
	}()
	began := time.Now()
	for m.Status()[0].Files[watch.Kept] < files {
		time.Sleep(100 * time.Millisecond)
		if time.Since(began) > 5*time.Minute {
			b.Fatalf("%+v", m.Status()[0])
		}
	}
	delivered, size := time.Since(began), heap()-before
	for b.Loop() {
		const window = 20 * time.Second
		used := cpu(b)
		time.Sleep(window)
		b.ReportMetric(100*(cpu(b)-used).Seconds()/window.Seconds(), "%-of-a-core")
		used = cpu(b)
		if err := m.Scan(ctx, ""); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(1000*(cpu(b)-used).Seconds(), "cpu-ms/scan")
	}
	b.ReportMetric(delivered.Seconds(), "s-to-deliver")
	b.ReportMetric(float64(size)/float64(files), "heap-B/file")
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
