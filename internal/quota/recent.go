package quota

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
)

// recent holds the values that were used last.
type recent[K comparable, V any] struct {
	mu    sync.Mutex
	cache *lru.LRU[K, V]
}

func newRecent[K comparable, V any](size int) *recent[K, V] {
	cache, err := lru.NewLRU[K, V](max(size, 1), nil)
	if err != nil {
		return &recent[K, V]{} // cannot be: the size is positive
	}
	return &recent[K, V]{cache: cache}
}

// get returns the value of k, made by fresh where there is none.
func (r *recent[K, V]) get(k K, fresh func() V) V {
	r.mu.Lock()
	defer r.mu.Unlock()
	if v, ok := r.cache.Get(k); ok {
		return v
	}
	v := fresh()
	r.cache.Add(k, v)
	return v
}
