package verify

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// maxCalls bounds the calls to AWS that one run makes, those included that clean up.
const maxCalls = 20

// budget counts the calls of a run. What a delivery needs is counted as it is
// sent; what is asked beyond that reserves its calls first, its own cleaning up
// included, and is left out when there are not so many left.
type budget struct{ used atomic.Int32 }

type prepaidKey struct{}

// reserve sets n calls aside for what is done under the context it returns.
// release gives back those that were not made.
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

// counted counts what is really sent, retries included.
type counted struct {
	aws.HTTPClient
	calls *budget
}

// Do implements aws.HTTPClient.
func (c counted) Do(r *http.Request) (*http.Response, error) {
	c.calls.spend(r.Context())
	return c.HTTPClient.Do(r)
}
