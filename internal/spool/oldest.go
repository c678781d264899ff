package spool

import "time"

// Watchers ask for the oldest object every second, and a scan of a million records
// under the lock would delay every other call. Each queue remembers its oldest
// record. Only when that record has left are all records scanned; a large spool is
// scanned at most every scanEvery.
const (
	manyRecords = 10_000
	scanEvery   = 10 * time.Second
)

// noteOldest makes r the oldest record of its queue if it is older; mu is held. Call
// it when r begins to wait.
func (l *destQueue) noteOldest(r *record) {
	if l.queued+l.delivering == 0 || l.oldest != nil && r.received < l.oldest.received {
		l.oldest = r
	}
}

// waits reports whether a record waits for its delivery; mu is held.
func (s *Spool) waits(r *record) bool {
	return r != nil && r.state != Dead && s.records[r.id] == r
}

// findOldest updates the oldest record of every queue; mu is held.
func (s *Spool) findOldest(now time.Time) {
	known := true
	for _, l := range s.order {
		known = known && (l.queued+l.delivering == 0 || s.waits(l.oldest))
	}
	if known || len(s.records) > manyRecords && now.Sub(s.scanned) < scanEvery {
		return
	}
	s.scanned = now
	for _, l := range s.order {
		l.oldest = nil
	}
	for _, r := range s.records {
		if l := r.queue; r.state != Dead && (l.oldest == nil || r.received < l.oldest.received) {
			l.oldest = r
		}
	}
}
