package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/brokerd/brokerd/client"
)

// answers counts the results of all callers' attempts.
type answers struct {
	mu      sync.Mutex
	by      map[string]int   // by code and reason
	example map[string]error // of each
	spooled int
	stored  int
	repeats int
	existed int // stored by an earlier try, as S3 said
	cut     int
	strange []string // answers that no fault explains
}

func newAnswers() *answers {
	return &answers{by: map[string]int{}, example: map[string]error{}}
}

// expected are the errors that faults and kills explain. Everything else, such as
// INTERNAL, is a defect.
var expected = map[string]bool{
	"Unavailable/": true, "Unavailable/AWS_UNAVAILABLE": true, "Unavailable/NETWORK": true, "Unavailable/THROTTLED": true,
	"Unavailable/SESSION_UNAVAILABLE": true, "Unavailable/CREDENTIALS_EXPIRED": true, "Unavailable/SHUTTING_DOWN": true,
	"ResourceExhausted/TOO_MANY_FILES": true, "ResourceExhausted/TOO_MANY_CONNECTIONS": true,
	"FailedPrecondition/ACCESS_DENIED": true, "FailedPrecondition/KMS_KEY_UNUSABLE": true,
	"FailedPrecondition/SESSION_DENIED": true, "FailedPrecondition/AWS_REFUSED": true, "ResourceExhausted/TOO_MANY_UPLOADS": true,
	"ResourceExhausted/SPOOL_FULL": true,
}

// failed counts a failed attempt. It returns how long the caller waits before the next.
func (a *answers) failed(i *item, err error) time.Duration {
	name, after := "other", time.Duration(0)
	var e *client.Error
	if errors.As(err, &e) {
		name, after = e.Code.String()+"/"+e.Reason, e.RetryAfter
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.by[name]++
	if a.example[name] == nil {
		a.example[name] = err
	}
	if !expected[name] && len(a.strange) < 20 {
		a.strange = append(a.strange, fmt.Sprintf("%s (%s, %d bytes): %s: %v", i.name(), i.destination, i.size, name, err))
	}
	return after
}

// gaveUp counts an item whose caller has cancelled it.
func (a *answers) gaveUp() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cut++
}

// wrong records an answer that contradicts the item.
func (a *answers) wrong(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.strange) < 20 {
		a.strange = append(a.strange, fmt.Sprintf(format, args...))
	}
}

// caller sends one item after the other, each until it is acknowledged.
type caller struct {
	client *client.Client
	rng    *rand.Rand
	all    *answers
	dir    string // for the items that are sent as files
}

func (c *caller) run(ctx context.Context, items <-chan *item, done func()) {
	for i := range items {
		if !c.deliver(ctx, i) {
			return
		}
		done()
	}
}

// deliver sends an item until it is acknowledged or cut. It returns false if ctx ends first.
func (c *caller) deliver(ctx context.Context, i *item) bool {
	for again := false; ; {
		res, err := c.try(ctx, i)
		pause := time.Duration(c.rng.Int64N(int64(100 * time.Millisecond)))
		switch {
		case err == nil:
			c.acknowledged(i, res, again)
			if again || !i.again {
				return true
			}
			again = true
		case errors.Is(err, errCut):
			c.all.gaveUp()
			return true
		case ctx.Err() != nil:
			return false
		default:
			// The client does not retry this error: it needs a repair by an operator.
			pause += min(c.all.failed(i, err), time.Second)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// try sends an item once; the client retries for up to patience. The idempotency key
// is the same each time.
func (c *caller) try(ctx context.Context, i *item) (*client.Result, error) {
	opts := []client.UploadOption{
		client.WithIdempotencyKey(i.idempotencyKey()), client.WithRetry(patience),
		client.WithRetryNotice(func(err error, _ time.Duration) { c.all.failed(i, err) }),
	}
	if i.file {
		return c.tryFile(ctx, i, opts)
	}
	if c.rng.IntN(2) == 0 {
		opts = append(opts, client.WithSize(i.size))
	}
	return c.client.Upload(ctx, i.destination, i.name(), newBody(i), opts...)
}

func (c *caller) tryFile(ctx context.Context, i *item, opts []client.UploadOption) (*client.Result, error) {
	f, err := os.CreateTemp(c.dir, "item")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = io.Copy(f, newBody(i))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	return c.client.UploadFile(ctx, i.destination, i.name(), f.Name(), opts...)
}

// patience is how long the client retries before it returns the error.
const patience = 10 * time.Second

// acknowledged compares an answer with the item.
func (c *caller) acknowledged(i *item, res *client.Result, again bool) {
	i.mu.Lock()
	first, crc := i.acked, i.crc
	i.acked = res.UploadID
	i.mu.Unlock()
	if first != "" && first != res.UploadID {
		c.all.wrong("%s was acknowledged as %s, and sent again with the same key as %s", i.name(), first, res.UploadID)
	}
	switch {
	case res.State == client.Stored:
		// The answer for an object that an earlier attempt stored has no checksum.
		if res.Size != i.size || res.ChecksumCRC32C != "" && res.ChecksumCRC32C != base64CRC(crc) {
			c.all.wrong("%s: stored with %d bytes and %s, sent were %d and %s", i.name(), res.Size, res.ChecksumCRC32C, i.size, base64CRC(crc))
		}
	case res.State != client.Spooled || i.destination != "spool":
		c.all.wrong("%s: acknowledged by %s as %s", i.name(), i.destination, res.State)
	}
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	switch {
	case again:
		c.all.repeats++
	case res.State == client.Spooled:
		c.all.spooled++
	default:
		c.all.stored++
		if res.ChecksumCRC32C == "" {
			c.all.existed++
		}
	}
}
