package broker

import (
	"container/heap"
	"sync"
	"time"
)

// agenda holds when each session has to be looked at, the earliest first. Its
// lock is taken before an entry's, never after.
type agenda struct {
	mu    sync.Mutex
	queue appointments
	of    map[*entry]*appointment
}

type appointment struct {
	entry *entry
	at    time.Time
	index int
}

func newAgenda() *agenda { return &agenda{of: make(map[*entry]*appointment)} }

// plan asks when for the entry's next appointment; a zero time means none. when
// is called with the agenda locked, so that of two plans the later one counts.
func (a *agenda) plan(e *entry, when func() time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(e, when())
}

func (a *agenda) set(e *entry, at time.Time) {
	p := a.of[e]
	switch {
	case at.IsZero() && p != nil:
		heap.Remove(&a.queue, p.index)
		delete(a.of, e)
	case at.IsZero():
	case p != nil:
		p.at = at
		heap.Fix(&a.queue, p.index)
	default:
		p = &appointment{entry: e, at: at}
		a.of[e] = p
		heap.Push(&a.queue, p)
	}
}

// due takes out the entries whose time has come.
func (a *agenda) due(now time.Time) []*entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []*entry
	for len(a.queue) > 0 && !a.queue[0].at.After(now) {
		p := heap.Pop(&a.queue).(*appointment)
		delete(a.of, p.entry)
		out = append(out, p.entry)
	}
	return out
}

// next is the earliest appointment; false when there is none.
func (a *agenda) next() (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return time.Time{}, false
	}
	return a.queue[0].at, true
}

func (a *agenda) entries() []*entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]*entry, 0, len(a.of))
	for e := range a.of {
		out = append(out, e)
	}
	return out
}

// appointments implements heap.Interface.
type appointments []*appointment

func (q appointments) Len() int           { return len(q) }
func (q appointments) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q appointments) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *appointments) Push(x any) {
	p := x.(*appointment)
	p.index = len(*q)
	*q = append(*q, p)
}

func (q *appointments) Pop() any {
	old := *q
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return p
}
