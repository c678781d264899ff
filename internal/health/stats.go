package health

import (
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
)

// Counts are the deliveries of one destination since the daemon started.
type Counts struct {
	Objects, Bytes, Failed uint64
	LastStored             time.Time
	// Broken is the error of the last delivery or verification when AWS refused it;
	// else empty.
	Broken string
}

// Stats counts deliveries per destination. Its methods may be called from several
// goroutines. They ignore a destination that was not added.
type Stats struct {
	mu     sync.Mutex
	counts map[string]*Counts
}

// NewStats returns statistics of these destinations, all zero.
func NewStats(destinations []string) *Stats {
	s := &Stats{counts: make(map[string]*Counts, len(destinations))}
	for _, d := range destinations {
		s.Add(d)
	}
	return s
}

// Add begins to count for a destination. It keeps the counts of a known one.
func (s *Stats) Add(destination string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts[destination] == nil {
		s.counts[destination] = &Counts{}
	}
}

// Remove forgets the counts of a destination.
func (s *Stats) Remove(destination string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.counts, destination)
}

// Stored counts an object of size bytes that S3 confirmed at the time at.
func (s *Stats) Stored(destination string, size int64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.counts[destination]; c != nil {
		c.Objects++
		c.Bytes += uint64(size)
		c.LastStored, c.Broken = at, ""
	}
}

// Failed counts a failed delivery. A refusal by AWS makes the destination unready
// until a later delivery succeeds.
func (s *Stats) Failed(destination string, r reason.Reason, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts[destination]
	if c == nil {
		return
	}
	c.Failed++
	if r.RefusedByAWS() {
		c.Broken = message
	}
}

// Verified records the verdict of a verification. An undecided one changes nothing.
func (s *Stats) Verified(destination string, v Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.counts[destination]; c != nil && (v.broken != "" || !v.undecided) {
		c.Broken = v.broken
	}
}

// Counts returns a copy of the counts of a destination.
func (s *Stats) Counts(destination string) Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.counts[destination]; c != nil {
		return *c
	}
	return Counts{}
}
