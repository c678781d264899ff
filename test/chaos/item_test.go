package chaos

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

const (
	partSize = 5 << 20
	maxSize  = 24 << 20
)

// destinations are one for each durability.
var destinations = []string{"direct", "spool", "spool-wait"}

// item is one object that a caller sends.
type item struct {
	number      int
	destination string
	size        int64
	seed        [32]byte
	cut         int64 // the caller cancels after so many bytes; -1: never
	again       bool  // sent once more after it was acknowledged
	file        bool  // sent as a file

	mu    sync.Mutex
	key   string // idempotency key
	crc   uint32 // of all of its bytes, once they were read
	acked string // id of the upload; empty: not acknowledged
}

// name returns the object name that the caller sends.
func (i *item) name() string { return fmt.Sprintf("item/%06d", i.number) }

// open returns a reader of the item's bytes; they are the same each time.
func (i *item) open() io.Reader { return io.LimitReader(rand.NewChaCha8(i.seed), i.size) }

// idempotencyKey returns the item's key, which the first call makes.
func (i *item) idempotencyKey() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.key == "" {
		id := ulid.ULID{}
		_ = id.SetTime(ulid.Timestamp(time.Now()))
		copy(id[6:], i.seed[:10])
		i.key = id.String()
	}
	return i.key
}

// planItems draws the items of a run from a seed.
func planItems(seed uint64, count int) []*item {
	rng := rand.New(rand.NewPCG(seed, 1))
	items := make([]*item, count)
	for n := range items {
		i := &item{number: n, size: drawSize(rng), cut: -1, again: rng.IntN(20) == 0}
		binary.LittleEndian.PutUint64(i.seed[:], rng.Uint64())
		binary.LittleEndian.PutUint64(i.seed[8:], rng.Uint64())
		switch draw := rng.IntN(4); draw {
		case 0:
			i.destination = destinations[0]
		case 1:
			i.destination = destinations[2]
		default:
			i.destination = destinations[1]
		}
		if i.size > 0 && rng.IntN(50) == 0 {
			i.cut = rng.Int64N(i.size)
		}
		i.file = i.cut < 0 && rng.IntN(6) == 0
		items[n] = i
	}
	return items
}

// edges are sizes next to the limits of buffers, chunks and parts.
var edges = []int64{
	1, 32<<10 - 1, 32 << 10, 256 << 10, 256<<10 + 1,
	partSize - 1, partSize, partSize + 1, 2 * partSize, 2*partSize + 1, maxSize,
}

// drawSize returns mostly small sizes; 1 to 2 of 100 need a multipart upload.
func drawSize(rng *rand.Rand) int64 {
	switch draw := rng.IntN(1000); {
	case draw < 15:
		return 0
	case draw < 25:
		return edges[rng.IntN(len(edges))]
	case draw < 905:
		return between(rng, 1, 64<<10)
	case draw < 975:
		return between(rng, 64<<10, 512<<10)
	case draw < 988:
		return between(rng, 1<<20, partSize)
	default:
		return partSize + rng.Int64N(maxSize-partSize)
	}
}

// between draws from a log-uniform distribution.
func between(rng *rand.Rand, least, most float64) int64 {
	return int64(least * math.Pow(most/least, rng.Float64()))
}
