package uploader

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

func TestJoinedChecksumIsThatOfTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		data := make([]byte, rng.IntN(5000))
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		cut := 0
		if len(data) > 0 {
			cut = rng.IntN(len(data) + 1)
		}
		first, second := crc32.Checksum(data[:cut], castagnoli), crc32.Checksum(data[cut:], castagnoli)
		if got, want := joinCRC(first, second, int64(len(data)-cut)), crc32.Checksum(data, castagnoli); got != want {
			t.Fatalf("%d bytes cut at %d: %08x, want %08x", len(data), cut, got, want)
		}
	}
}

func TestPartsAtRestAreWithinTheLimits(t *testing.T) {
	for _, segment := range []int64{5 << 20, 8 << 20, 64 << 20} {
		for _, size := range []int64{1, segment, 10_000 * segment, 10_000*segment + 1, 5 << 40} {
			p := partSizeAtRest(size, segment)
			if p%segment != 0 || p < minPartSize || (size+p-1)/p > maxParts || p > 5<<30 {
				t.Errorf("size %d in segments of %d: parts of %d", size, segment, p)
			}
		}
	}
}
