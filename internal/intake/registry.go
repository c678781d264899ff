package intake

import (
	"context"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
)

// Remembered is the number of stored uploads that the registry holds, in memory, and of
// idempotency keys.
const Remembered = 10_000

// rememberedFailed is the number of uploads that run or have failed which it holds.
const rememberedFailed = 4096

// record is one upload in the registry.
type record struct {
	id, destination, name string
	uid                   uint32
	party                 quota.Party
	key                   string // digest of user, destination and idempotency key; empty: none was given
	started               time.Time
	ended                 bool
	stored                uploader.Stored
	failure               *reason.Error
}

// UploadRegistry remembers the last uploads and their outcomes, and which upload an
// idempotency key names. A user makes only its own uploads forgotten (see quota.Memory),
// and an upload that fails makes no stored one forgotten. Its methods may be called from
// several goroutines.
type UploadRegistry struct {
	stored *quota.Memory[string, record]
	others *quota.Memory[string, record] // that run or have failed
	// keys holds the ids of stored uploads by the digest of their key, and tried those of
	// uploads that run or have failed: S3 may have stored one whose answer was lost.
	keys, tried *quota.Memory[string, string]

	mu      sync.Mutex
	running map[string]chan struct{} // by id; closed at the end of the upload
}

func newUploadRegistry() *UploadRegistry {
	return &UploadRegistry{
		stored: quota.NewMemory[string, record](Remembered), others: quota.NewMemory[string, record](rememberedFailed),
		keys: quota.NewMemory[string, string](Remembered), tried: quota.NewMemory[string, string](Remembered),
		running: make(map[string]chan struct{}),
	}
}

// get returns the record of an upload.
func (u *UploadRegistry) get(id string) (record, bool) {
	if r, ok := u.stored.Get(id); ok {
		return r, true
	}
	return u.others.Get(id)
}

// claim is the right to deliver under one id. Release it at the end of the upload.
type claim struct {
	record
	// earlier is the upload that was stored before under this id; the claim then
	// holds nothing.
	earlier  *record
	registry *UploadRegistry
	done     chan struct{} // nil: nothing is held
}

// release lets the next upload with the same id begin.
func (c *claim) release() {
	if c.done == nil {
		return
	}
	c.registry.mu.Lock()
	delete(c.registry.running, c.id)
	c.registry.mu.Unlock()
	close(c.done)
}

// claim opens a record. While an earlier call of the same client uploads under the same
// id, it waits for that call to end.
func (u *UploadRegistry) claim(ctx context.Context, r record) (*claim, error) {
	for {
		u.mu.Lock()
		other := u.running[r.id]
		if other == nil {
			if was, ok := u.stored.Get(r.id); ok {
				u.mu.Unlock()
				return &claim{record: r, earlier: &was}, nil
			}
			c := &claim{record: r, registry: u, done: make(chan struct{})}
			u.running[r.id] = c.done
			u.others.Add(r.party, r.id, r)
			u.mu.Unlock()
			return c, nil
		}
		u.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// end records the outcome: stored when failure is nil.
func (u *UploadRegistry) end(r record, stored uploader.Stored, failure *reason.Error) {
	r.ended, r.stored, r.failure = true, stored, failure
	if failure != nil {
		u.others.Add(r.party, r.id, r)
		return
	}
	u.stored.Add(r.party, r.id, r)
	u.accepted(r)
}

// accepted moves the key of an upload to those that only other successes make forgotten.
func (u *UploadRegistry) accepted(r record) {
	u.others.Remove(r.id)
	if r.key != "" {
		u.keys.Add(r.party, r.key, r.id)
		u.tried.Remove(r.key)
	}
}

// ended returns a channel that is closed when the upload that runs under id has
// ended; nil when none does.
func (u *UploadRegistry) ended(id string) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.running[id]; c != nil {
		return c
	}
	return nil
}

// forget drops a record that the spool keeps from now on. Its key stays.
func (u *UploadRegistry) forget(r record) {
	u.stored.Remove(r.id)
	u.accepted(r)
}
