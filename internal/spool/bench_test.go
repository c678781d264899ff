package spool_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkAccept is the time of one durable acceptance. The disk decides.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct{ size, callers int }{{16 << 10, 1}, {16 << 10, 16}, {16 << 10, 64}, {64 << 20, 1}} {
		b.Run(fmt.Sprintf("%dKiB/%d", c.size>>10, c.callers), func(b *testing.B) {
			s := open(b, optionsOf(b, newStore()))
			data := bytesOf(1, c.size)
			var next atomic.Int64
			b.SetBytes(int64(c.size))
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range c.callers {
				wg.Go(func() {
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						h := headerOf(int(n))
						h.Size, h.PartSize = int64(c.size), 8<<20
						if _, _, err := s.Accept(context.Background(), h, unstated{bytes.NewReader(data)}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
