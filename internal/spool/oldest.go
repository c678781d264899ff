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

// noteOldest makes r the oldest record of its queue if it is older. Call it when
// r begins to wait.
func (l *destQueue) noteOldest(r *record) {
	if l.queued+l.delivering == 0 || l.oldest != nil && r.received < l.oldest.received {
		l.oldest = r
	}
}

// waits reports whether a record waits for its delivery.
func (x *index) waits(r *record) bool {
	return r != nil && r.state != Dead && x.records[r.id] == r
}

// findOldest updates the oldest record of every queue.
func (x *index) findOldest(now time.Time) {
	known := true
	for _, l := range x.order {
		known = known && (l.queued+l.delivering == 0 || x.waits(l.oldest))
	}
	if known || len(x.records) > manyRecords && now.Sub(x.scanned) < scanEvery {
		return
	}
	x.scanned = now
	for _, l := range x.order {
		l.oldest = nil
	}
	for _, r := range x.records {
		if l := r.queue; r.state != Dead && (l.oldest == nil || r.received < l.oldest.received) {
			l.oldest = r
		}
	}
}
