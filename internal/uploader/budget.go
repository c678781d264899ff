package uploader

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// pageSize is the unit of body memory. An upload of up to one page needs no more.
const pageSize = 64 << 10

// ErrBusy says that as many uploads are open as the budget allows.
var ErrBusy = errors.New("as many uploads are open as the memory budget allows")

// Budget bounds the memory of all bodies in flight.
//
// It has two shares. A quarter admits uploads, one page each; the rest holds
// parts, each reserved whole before it is filled. An upload that waits for a
// part holds no other part that is unfinished, so parts always move on, and no
// number of open uploads can starve them.
type Budget struct {
	total int64
	doors int64
	open  *semaphore.Weighted
	parts *semaphore.Weighted
	pages pagePool
	// encoders bounds compressors, beside the bodies: an eighth as much again.
	encoders *semaphore.Weighted

	mu   sync.Mutex
	used int64
	n    int
}

// NewBudget makes a budget of total bytes, at least 4 MiB.
func NewBudget(total int64) (*Budget, error) {
	if total < 4<<20 {
		return nil, fmt.Errorf("a memory budget of %d bytes is too small: 4 MiB is the least", total)
	}
	doors := total / 4 / pageSize
	return &Budget{
		total: total, doors: doors,
		open:  semaphore.NewWeighted(doors),
		parts: semaphore.NewWeighted(total - doors*pageSize),

		encoders: semaphore.NewWeighted(max(2, total/8/encoderMemory)),
	}, nil
}

// Total is the size of the budget in bytes.
func (b *Budget) Total() int64 { return b.total }

// MaxUploads is how many uploads may be open at a time.
func (b *Budget) MaxUploads() int { return int(b.doors) }

// Used is the number of bytes that are reserved now, and by how many uploads.
func (b *Budget) Used() (bytes int64, uploads int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used, b.n
}

// Largest is the largest part that can ever be reserved.
func (b *Budget) Largest() int64 { return b.total - b.doors*pageSize }

// Admit opens an upload, or says ErrBusy at once. Call the function it returns
// when the upload has ended.
func (b *Budget) Admit() (leave func(), err error) {
	if !b.open.TryAcquire(1) {
		return nil, ErrBusy
	}
	b.account(pageSize, 1)
	return sync.OnceFunc(func() {
		b.account(-pageSize, -1)
		b.open.Release(1)
	}), nil
}

// reserve waits for n bytes of part memory, in the order of arrival.
func (b *Budget) reserve(ctx context.Context, n int64) error {
	if err := b.parts.Acquire(ctx, n); err != nil {
		return fmt.Errorf("waiting for part memory: %w", err)
	}
	b.account(n, 0)
	return nil
}

func (b *Budget) release(n int64) {
	b.account(-n, 0)
	b.parts.Release(n)
}

func (b *Budget) account(bytes int64, uploads int) {
	b.mu.Lock()
	b.used += bytes
	b.n += uploads
	b.mu.Unlock()
}

// Close gives the memory back to the system. No upload may be open.
func (b *Budget) Close() error { return b.pages.close() }
