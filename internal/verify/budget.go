package verify

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// maxCalls bounds the calls of a run to AWS, aborts included.
const maxCalls = 20

// budget counts the calls of a run. The calls of a delivery are counted when they are
// sent. Other calls are reserved before, with their aborts, and left out if too few
// remain.
type budget struct{ used atomic.Int32 }

type prepaidKey struct{}

// reserve sets n calls aside for requests under the returned context. release returns
// the calls that were not made.
func (b *budget) reserve(ctx context.Context, n int) (reserved context.Context, release func(), ok bool) {
	for {
		used := b.used.Load()
		if int(used)+n > maxCalls {
			return ctx, func() {}, false
		}
		if b.used.CompareAndSwap(used, used+int32(n)) {
			break
		}
	}
	left := new(atomic.Int32)
	left.Store(int32(n))
	return context.WithValue(ctx, prepaidKey{}, left), func() { b.used.Add(-max(0, left.Swap(0))) }, true
}

// spend counts one call.
func (b *budget) spend(ctx context.Context) {
	if left, ok := ctx.Value(prepaidKey{}).(*atomic.Int32); ok && left.Add(-1) >= 0 {
		return
	}
	b.used.Add(1)
}

func (b *budget) made() int { return int(b.used.Load()) }

// counted counts the requests that are sent, retries included.
type counted struct {
	aws.HTTPClient
	calls *budget
}

// Do implements aws.HTTPClient.
func (c counted) Do(r *http.Request) (*http.Response, error) {
	c.calls.spend(r.Context())
	return c.HTTPClient.Do(r)
}
