package broker

import (
	"container/heap"
	"sync"
	"time"
)

// refreshQueue orders entries by the time of their next refresh. Its lock is taken
// before an entry's, never after.
type refreshQueue struct {
	mu    sync.Mutex
	queue queueHeap
	of    map[*entry]*queued
}

type queued struct {
	entry *entry
	at    time.Time
	index int
}

func newRefreshQueue() *refreshQueue { return &refreshQueue{of: make(map[*entry]*queued)} }

// schedule calls when for the time of the entry's next refresh; a zero time removes
// the entry. It calls when under the queue's lock, so that the later of two calls wins.
func (q *refreshQueue) schedule(e *entry, when func() time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.set(e, when())
}

func (q *refreshQueue) set(e *entry, at time.Time) {
	p := q.of[e]
	switch {
	case at.IsZero() && p != nil:
		heap.Remove(&q.queue, p.index)
		delete(q.of, e)
	case at.IsZero():
	case p != nil:
		p.at = at
		heap.Fix(&q.queue, p.index)
	default:
		p = &queued{entry: e, at: at}
		q.of[e] = p
		heap.Push(&q.queue, p)
	}
}

// due removes and returns the entries whose time has come.
func (q *refreshQueue) due(now time.Time) []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*entry
	for len(q.queue) > 0 && !q.queue[0].at.After(now) {
		p := heap.Pop(&q.queue).(*queued)
		delete(q.of, p.entry)
		out = append(out, p.entry)
	}
	return out
}

// next returns the earliest time in the queue; false: the queue is empty.
func (q *refreshQueue) next() (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 {
		return time.Time{}, false
	}
	return q.queue[0].at, true
}

func (q *refreshQueue) entries() []*entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]*entry, 0, len(q.of))
	for e := range q.of {
		out = append(out, e)
	}
	return out
}

// queueHeap implements heap.Interface.
type queueHeap []*queued

func (h queueHeap) Len() int           { return len(h) }
func (h queueHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h queueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *queueHeap) Push(x any) {
	p := x.(*queued)
	p.index = len(*h)
	*h = append(*h, p)
}

func (h *queueHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
