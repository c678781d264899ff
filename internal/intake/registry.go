package intake

import (
	"context"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
)

// Remembered is the number of uploads that the registry holds, in memory.
const Remembered = 10_000

// record is one upload in the registry.
type record struct {
	id, destination, name string
	uid                   uint32
	started               time.Time
	ended                 bool
	stored                uploader.Stored
	failure               *reason.Error
}

// UploadRegistry remembers the last uploads and their outcomes, and which upload an
// idempotency key names. Its methods may be called from several goroutines.
type UploadRegistry struct {
	mu      sync.Mutex
	uploads *lru.Cache[string, record]
	keys    *lru.Cache[string, string] // ids by the digest of user, destination and key
	running map[string]chan struct{}   // by id; closed at the end of the upload
}

func newUploadRegistry() (*UploadRegistry, error) {
	uploads, err := lru.New[string, record](Remembered)
	if err != nil {
		return nil, fmt.Errorf("making the registry of uploads: %w", err)
	}
	keys, err := lru.New[string, string](Remembered)
	if err != nil {
		return nil, fmt.Errorf("making the registry of idempotency keys: %w", err)
	}
	return &UploadRegistry{uploads: uploads, keys: keys, running: make(map[string]chan struct{})}, nil
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
			if was, ok := u.uploads.Get(r.id); ok && was.ended && was.failure == nil {
				u.mu.Unlock()
				return &claim{record: r, earlier: &was}, nil
			}
			c := &claim{record: r, registry: u, done: make(chan struct{})}
			u.running[r.id] = c.done
			u.uploads.Add(r.id, r)
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
	u.uploads.Add(r.id, r)
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

// forget drops a record that the spool keeps from now on.
func (u *UploadRegistry) forget(id string) { u.uploads.Remove(id) }
