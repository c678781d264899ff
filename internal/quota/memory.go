package quota

import (
	"container/list"
	"sync"
)

// Memory remembers a bounded number of values, each for a party. Beyond the bound, the
// share that holds most forgets the value that it used longest ago. So no share can make
// another one forget, unless that one holds more than its fair share. Its methods may be
// called from several goroutines.
type Memory[K comparable, V any] struct {
	mu     sync.Mutex
	most   int
	values map[K]*list.Element
	shares map[share]*list.List // of *remembered[K, V], the latest used first
}

type remembered[K comparable, V any] struct {
	key   K
	share share
	value V
}

// NewMemory returns a Memory of at most most values.
func NewMemory[K comparable, V any](most int) *Memory[K, V] {
	return &Memory[K, V]{most: max(most, 1), values: make(map[K]*list.Element), shares: make(map[share]*list.List)}
}

// Add remembers v under k, for p.
func (m *Memory[K, V]) Add(p Party, k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(k)
	key := p.share()
	l := m.shares[key]
	if l == nil {
		l = list.New()
		m.shares[key] = l
	}
	m.values[k] = l.PushFront(&remembered[K, V]{k, key, v})
	if len(m.values) <= m.most {
		return
	}
	for _, other := range m.shares {
		if other.Len() > l.Len() {
			l = other
		}
	}
	if r, ok := l.Back().Value.(*remembered[K, V]); ok {
		m.remove(r.key)
	}
}

// Get returns the value of k, and counts that as a use.
func (m *Memory[K, V]) Get(k K) (v V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.values[k]
	if e == nil {
		return v, false
	}
	r, ok := e.Value.(*remembered[K, V])
	if !ok {
		return v, false
	}
	m.shares[r.share].MoveToFront(e)
	return r.value, true
}

// Remove forgets the value of k.
func (m *Memory[K, V]) Remove(k K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(k)
}

func (m *Memory[K, V]) remove(k K) {
	e := m.values[k]
	if e == nil {
		return
	}
	delete(m.values, k)
	if r, ok := e.Value.(*remembered[K, V]); ok {
		l := m.shares[r.share]
		l.Remove(e)
		if l.Len() == 0 {
			delete(m.shares, r.share)
		}
	}
}
