package sandbox_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// zeros is a seekable body of n zero bytes.
type zeros struct{ at, n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.at == z.n {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), z.n-z.at))
	clear(p[:n])
	z.at += int64(n)
	return n, nil
}

func (z *zeros) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += z.at
	case io.SeekEnd:
		offset += z.n
	}
	if offset < 0 || offset > z.n {
		return 0, errors.New("seek out of range")
	}
	z.at = offset
	return offset, nil
}

func zerosSum(n int64) string {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	buf := make([]byte, 1<<20)
	for ; n > 0; n -= int64(len(buf)) {
		h.Write(buf[:min(int64(len(buf)), n)])
	}
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, h.Sum32()))
}

func TestLargeBodiesStayOutOfMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 256 MiB")
	}
	w := newWorld(t)
	const size = 256 << 20
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	in := w.put("logs/large", nil)
	in.Body, in.ContentLength, in.ChecksumCRC32C = &zeros{n: size}, aws.Int64(size), aws.String(zerosSum(size))
	must[*s3.PutObjectOutput](t)(w.uploader.s3.PutObject(t.Context(), in))
	cancel()
	<-done
	if got := int64(peak.Load()) - int64(before.HeapAlloc); got > 64<<20 {
		t.Errorf("the heap grew by %d MiB", got>>20)
	}
	if info, body, err := w.sb.Object(bucketB, "logs/large"); err != nil || info.Size != size {
		t.Errorf("stored %d bytes, %v", info.Size, err)
	} else if err := body.Close(); err != nil {
		t.Error(err)
	}
}

func TestBodiesOnDiskGoAwayWithTheirObjects(t *testing.T) {
	dir := t.TempDir()
	sb, err := sandbox.New(sandbox.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	sb.Start()
	files := func() int {
		names, err := filepath.Glob(filepath.Join(dir, "*", "body-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	ctx := t.Context()
	asUSEast := asIn(t, sb, sb.RootKeys(accountA), "us-east-1")
	must[*s3.CreateBucketOutput](t)(asUSEast.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bbb")}))
	put := &s3.PutObjectInput{Bucket: aws.String("bbb"), Key: aws.String("k"), Body: strings.NewReader(strings.Repeat("x", 2<<20))}
	must[*s3.PutObjectOutput](t)(asUSEast.s3.PutObject(ctx, put))
	if n := files(); n != 1 {
		t.Errorf("%d files for one large object", n)
	}
	put.Body = strings.NewReader(strings.Repeat("y", 3<<20))
	must[*s3.PutObjectOutput](t)(asUSEast.s3.PutObject(ctx, put))
	if n := files(); n != 1 {
		t.Errorf("%d files after overwriting", n)
	}
	must[*s3.DeleteObjectOutput](t)(asUSEast.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("bbb"), Key: aws.String("k")}))
	if n := files(); n != 0 {
		t.Errorf("%d files after deleting", n)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestVirtualHostStyle(t *testing.T) {
	w := newWorld(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(w.sb.Endpoint(), "https://"))
	if err != nil {
		t.Fatal(err)
	}
	hc := httpClient(t, w.sb)
	hc.Transport.(spellChecker).next.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
	}
	cfg := w.uploader.cfg
	cfg.HTTPClient, cfg.BaseEndpoint = hc, aws.String("https://s3.localhost:"+port)
	must[*s3.PutObjectOutput](t)(s3.NewFromConfig(cfg).PutObject(t.Context(), w.put("logs/virtual", []byte("v"))))
	if _, got := stored(t, w.sb, bucketB, "logs/virtual"); string(got) != "v" {
		t.Errorf("stored %q", got)
	}
}

func TestAnybodyLearnsABucketsRegion(t *testing.T) {
	w := newWorld(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, w.sb.Endpoint()+"/"+bucketB, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := httpClient(t, w.sb).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	if resp.StatusCode != 403 || resp.Header.Get("X-Amz-Bucket-Region") != region {
		t.Errorf("unsigned HEAD: %d, region %q", resp.StatusCode, resp.Header.Get("X-Amz-Bucket-Region"))
	}
}

func BenchmarkPut64MiB(b *testing.B) {
	w := newWorld(b)
	const size = 64 << 20
	sum := zerosSum(size)
	b.SetBytes(size)
	for b.Loop() {
		in := w.put("logs/bench", nil)
		in.Body, in.ContentLength, in.ChecksumCRC32C = &zeros{n: size}, aws.Int64(size), aws.String(sum)
		must[*s3.PutObjectOutput](b)(w.uploader.s3.PutObject(b.Context(), in))
	}
}

func BenchmarkPut16KiB(b *testing.B) {
	w := newWorld(b)
	body := make([]byte, 16<<10)
	sum := crc32c(body)
	b.SetBytes(16 << 10)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			in := w.put("logs/bench", body)
			in.ChecksumCRC32C = aws.String(sum)
			if _, err := w.uploader.s3.PutObject(b.Context(), in); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
