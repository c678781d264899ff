package trail

import (
	"sync"
)

// Log is a bounded run of events. Its zero value is not usable; see New.
type Log struct {
	capacity int

	mu     sync.Mutex
	events []Event // the newest, at most capacity
	first  uint64  // sequence number of events[0]
	grown  chan struct{}
}

// New makes a log that keeps the newest capacity events.
func New(capacity int) *Log {
	return &Log{capacity: max(1, capacity), grown: make(chan struct{})}
}

// Append adds events.
func (l *Log) Append(events ...Event) {
	if len(events) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, events...)
	if over := len(l.events) - l.capacity; over > l.capacity/4 {
		// In steps, so that appending stays cheap.
		l.events = append([]Event(nil), l.events[over:]...)
		l.first += uint64(over)
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

// Since returns the events from a sequence number on, the number to go on from,
// and a channel that is closed when there are more. Events that were dropped
// are left out.
func (l *Log) Since(seq uint64) (events []Event, next uint64, more <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	end := l.first + uint64(len(l.events))
	seq = min(max(seq, l.first), end)
	return append([]Event(nil), l.events[seq-l.first:]...), end, l.grown
}

// Reset forgets all events.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first += uint64(len(l.events))
	l.events = nil
}
