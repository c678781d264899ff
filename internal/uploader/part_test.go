package uploader

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/brokerd/brokerd/internal/quota"
)

func testBudget(t *testing.T, total int64) *Budget {
	t.Helper()
	b, err := NewBudget(total)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if used, n := b.Used(); used != 0 || n != 0 {
			t.Errorf("%d bytes of %d uploads were not given back", used, n)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func noise(n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(rng.Uint32())
	}
	return out
}

func TestPartHoldsWhatItRead(t *testing.T) {
	b := testBudget(t, 8<<20)
	for _, n := range []int{0, 1, pageSize - 1, pageSize, pageSize + 1, 3*pageSize + 17} {
		data := noise(n)
		p := &part{budget: b}
		if err := p.fill(iotest.HalfReader(bytes.NewReader(data)), int64(n)+1); !errors.Is(err, io.EOF) {
			t.Fatalf("%d bytes: fill: %v", n, err)
		}
		r := p.reader()
		if err := iotest.TestReader(r, data); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if want := crc32.Checksum(data, castagnoli); p.crc != want {
			t.Errorf("%d bytes: CRC32C %08x, want %08x", n, p.crc, want)
		}
		p.free()
		if _, err := p.reader().Read(make([]byte, 1)); !errors.Is(err, errFreed) {
			t.Errorf("a retired part was read: %v", err)
		}
		p.free() // twice is harmless
	}
}

// A transport may read a body after its call has returned. It must get an error then, and
// never the bytes of another upload.
func TestRetiredPartIsNotReadByAStraggler(t *testing.T) {
	b := testBudget(t, 8<<20)
	data := bytes.Repeat([]byte{1}, 4*pageSize)
	for range 50 {
		p := &part{budget: b}
		if err := p.fill(bytes.NewReader(data), int64(len(data))); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			got, err := io.ReadAll(p.reader())
			if err == nil && len(got) != len(data) {
				t.Errorf("a short read without an error: %d bytes", len(got))
			}
			for _, c := range got {
				if c != 1 {
					t.Error("read another upload's bytes")
					return
				}
			}
		})
		p.free()
		q := &part{budget: b}
		if err := q.fill(bytes.NewReader(bytes.Repeat([]byte{2}, 4*pageSize)), 4*pageSize); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		q.free()
	}
}

func TestBudgetRefusesWhenFull(t *testing.T) {
	b := testBudget(t, 4<<20)
	var slots []*Slot
	for range b.MaxUploads() {
		s, err := b.Admit(quota.Party{})
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, s)
	}
	if _, err := b.Admit(quota.Party{}); !errors.Is(err, ErrBusy) {
		t.Errorf("one more than %d: %v, want ErrBusy", b.MaxUploads(), err)
	}
	slots[0].Release()
	slots[0].Release() // must not make room for two
	s, err := b.Admit(quota.Party{})
	if err != nil {
		t.Errorf("after a release: %v", err)
	}
	if _, err := b.Admit(quota.Party{}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second release made room for two")
	}
	s.Release()
	for _, s := range slots[1:] {
		s.Release()
	}
}

func TestPlanFitsEveryObjectInTenThousandParts(t *testing.T) {
	const tib = 1 << 40
	for _, tc := range []struct {
		name                    string
		partSize, size, largest int64
		reach                   int64
		equal, same             bool // required; and all parts are equal
	}{
		{"known length at the default", 8 << 20, 5 << 30, 36 << 20, 5 << 30, false, true},
		{"known length that needs larger parts", 8 << 20, 300 << 30, 36 << 20, 300 << 30, false, true},
		{"unknown length grows as it goes", 8 << 20, -1, 36 << 20, 300 << 30, false, false},
		{"unknown length in equal parts", 8 << 20, -1, 36 << 20, 78 << 30, true, true},
		{"five TiB with the memory for it", 8 << 20, 5 * tib, 1 << 30, 5 * tib, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := planFor(tc.partSize, tc.size, tc.largest, tc.equal)
			var sum int64
			for n := int32(1); n <= maxParts; n++ {
				size := p.part(n)
				if size > tc.largest || size < minPartSize {
					t.Fatalf("part %d has %d bytes", n, size)
				}
				if tc.same && size != p.part(1) {
					t.Fatalf("part %d has %d bytes, the first has %d", n, size, p.part(1))
				}
				sum += size
			}
			if sum < tc.reach {
				t.Errorf("10,000 parts hold %d bytes, want %d", sum, tc.reach)
			}
		})
	}
}
