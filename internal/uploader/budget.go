package uploader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
)

// pageSize is the unit of body memory. An upload of at most one page needs no more.
const pageSize = 64 << 10

// ErrBusy is returned when the memory budget admits no more uploads.
var ErrBusy = errors.New("the memory budget (memory.max) admits no more uploads of this user at a time")

// Budget bounds the memory of all bodies in flight.
//
// It has two parts. A quarter is slots: each admits one upload with one page. The rest
// holds parts of objects, and each part is reserved whole before it is filled. An upload
// that waits for a part holds no other unfinished part, so parts always make progress.
//
// Users share slots and memory by the rules of package quota: no number of uploads of one
// user, however slow, can starve those of another.
type Budget struct {
	total int64
	quota *quota.Ledger
	parts *quota.Pool
	pages pagePool
	// encoders bounds compressors, in addition to the bodies: an eighth of total.
	encoders *quota.Pool
}

// NewBudget returns a budget of total bytes, at least 4 MiB.
func NewBudget(total int64) (*Budget, error) {
	if total < 4<<20 {
		return nil, fmt.Errorf("a memory budget of %d bytes is too small: the minimum is 4 MiB", total)
	}
	slots := total / 4 / pageSize
	b := &Budget{
		total: total, quota: quota.NewLedger(), parts: quota.NewPool(total - slots*pageSize),
		encoders: quota.NewPool(max(2, total/8/encoderMemory)),
	}
	b.quota.SetTotal(quota.Uploads, slots)
	b.SetParties(1)
	return b, nil
}

// SetParties says how many users and groups the configuration lets in; see package quota.
func (b *Budget) SetParties(n int) {
	b.quota.SetParties(n)
	b.parts.SetParties(n)
	b.encoders.SetParties(n)
}

// Quota returns the ledger that counts the slots.
func (b *Budget) Quota() *quota.Ledger { return b.quota }

// PartMemory returns the state of the memory for parts.
func (b *Budget) PartMemory() quota.PoolUsage { return b.parts.Usage() }

// Total returns the size of the budget in bytes.
func (b *Budget) Total() int64 { return b.total }

// MaxUploads returns how many uploads may be open at a time.
func (b *Budget) MaxUploads() int { return int(b.quota.Total(quota.Uploads)) }

// LimitUploads admits at most n uploads at a time. Call it before the first Admit.
func (b *Budget) LimitUploads(n int) {
	b.quota.SetTotal(quota.Uploads, min(b.quota.Total(quota.Uploads), int64(n)))
}

// Used returns how many bytes are reserved, and by how many uploads.
func (b *Budget) Used() (bytes int64, uploads int) {
	slots := b.quota.Used(quota.Uploads)
	return slots*pageSize + b.parts.Usage().Used, int(slots)
}

// Largest returns the size of the largest part that can be reserved, in bytes.
func (b *Budget) Largest() int64 { return b.total - b.total/4/pageSize*pageSize }

// Slot is the admission of one upload.
type Slot struct{ charge *quota.Charge }

// Admit takes a slot for a user, or returns ErrBusy without waiting. Release the slot when
// the upload has ended.
func (b *Budget) Admit(p quota.Party) (*Slot, error) {
	charge, err := b.quota.Take(p, quota.Uploads)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return &Slot{charge}, nil
}

// Release gives the slot back. Later calls do nothing.
func (s *Slot) Release() { s.charge.Release() }

// retryAfterSlow is the delay that a sender is told whose memory was called back.
const retryAfterSlow = time.Second

// errTooSlow is the error of an upload whose memory went to another user.
var errTooSlow = reason.Wrap(reason.TooManyUploads, fmt.Errorf(
	"%w; nothing was stored. Send it again, or set durability: spool for senders that are slow", quota.ErrCalledBack)).After(retryAfterSlow)

// reserve waits for n bytes of part memory. When the part then fills too slowly while
// other users wait, body is interrupted.
func (b *Budget) reserve(ctx context.Context, p quota.Party, n int64, body Body) (*quota.Loan, error) {
	l, err := b.parts.Borrow(ctx, p, n, func(error) { body.Interrupt(errTooSlow) })
	if err != nil {
		return nil, fmt.Errorf("waiting for part memory: %w", err)
	}
	return l, nil
}

// Close returns the memory to the system. No upload may be open.
func (b *Budget) Close() error { return b.pages.close() }
