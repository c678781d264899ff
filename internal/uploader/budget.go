package uploader

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// pageSize is the unit of body memory. An upload of at most one page needs no more.
const pageSize = 64 << 10

// ErrBusy is returned when the memory budget admits no more uploads.
var ErrBusy = errors.New("the memory budget admits no more uploads at a time (limits.memory)")

// Budget bounds the memory of all bodies in flight.
//
// It has two shares. A quarter is slots: each admits one upload with one page. The
// rest holds parts, and each part is reserved whole before it is filled. An upload
// that waits for a part holds no other unfinished part, so parts always make
// progress, and no number of open uploads can starve them.
type Budget struct {
	total int64
	slots int64
	open  *semaphore.Weighted
	parts *semaphore.Weighted
	pages pagePool
	// encoders bounds compressors, in addition to the bodies: an eighth of total.
	encoders *semaphore.Weighted

	mu   sync.Mutex
	used int64
	n    int
}

// NewBudget returns a budget of total bytes, at least 4 MiB.
func NewBudget(total int64) (*Budget, error) {
	if total < 4<<20 {
		return nil, fmt.Errorf("a memory budget of %d bytes is too small: the minimum is 4 MiB", total)
	}
	slots := total / 4 / pageSize
	return &Budget{
		total: total, slots: slots,
		open:  semaphore.NewWeighted(slots),
		parts: semaphore.NewWeighted(total - slots*pageSize),

		encoders: semaphore.NewWeighted(max(2, total/8/encoderMemory)),
	}, nil
}

// Total returns the size of the budget in bytes.
func (b *Budget) Total() int64 { return b.total }

// MaxUploads returns how many uploads may be open at a time.
func (b *Budget) MaxUploads() int { return int(b.slots) }

// LimitUploads admits at most n uploads at a time. Call it before the first Admit.
func (b *Budget) LimitUploads(n int) {
	if int64(n) < b.slots {
		b.slots, b.open = int64(n), semaphore.NewWeighted(int64(n))
	}
}

// Used returns how many bytes are reserved, and by how many uploads.
func (b *Budget) Used() (bytes int64, uploads int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used, b.n
}

// Largest returns the size of the largest part that can be reserved, in bytes.
func (b *Budget) Largest() int64 { return b.total - b.total/4/pageSize*pageSize }

// Slot is the admission of one upload.
type Slot struct {
	budget *Budget
	once   sync.Once
}

// Admit takes a slot, or returns ErrBusy without waiting. Release the slot when the
// upload has ended.
func (b *Budget) Admit() (*Slot, error) {
	if !b.open.TryAcquire(1) {
		return nil, ErrBusy
	}
	b.account(pageSize, 1)
	return &Slot{budget: b}, nil
}

// Release gives the slot back. Later calls do nothing.
func (s *Slot) Release() {
	s.once.Do(func() {
		s.budget.account(-pageSize, -1)
		s.budget.open.Release(1)
	})
}

// reserve waits for n bytes of part memory. Waiters are served in their order.
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

// Close returns the memory to the system. No upload may be open.
func (b *Budget) Close() error { return b.pages.close() }
