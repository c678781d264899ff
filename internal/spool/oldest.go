package spool

import "time"

// Who watches asks for the oldest object every second; looking at a million of
// them each time would hold up everybody else. A lane remembers its oldest, and
// only when that has gone are all looked at, of many not at every question.
const (
	many     = 10_000
	lookMany = 10 * time.Second
)

// noteOldest makes r its lane's oldest, if it is; mu is held. Called when r begins to wait.
func (l *destQueue) noteOldest(r *record) {
	if l.queued+l.delivering == 0 || l.oldest != nil && r.received < l.oldest.received {
		l.oldest = r
	}
}

// waits says whether a record still waits for its delivery; mu is held.
func (s *Spool) waits(r *record) bool {
	return r != nil && r.state != Dead && s.records[r.id] == r
}

// findOldest brings the queues' oldest up to date; mu is held.
func (s *Spool) findOldest(now time.Time) {
	known := true
	for _, l := range s.order {
		known = known && (l.queued+l.delivering == 0 || s.waits(l.oldest))
	}
	if known || len(s.records) > many && now.Sub(s.looked) < lookMany {
		return
	}
	s.looked = now
	for _, l := range s.order {
		l.oldest = nil
	}
	for _, r := range s.records {
		if l := r.queue; r.state != Dead && (l.oldest == nil || r.received < l.oldest.received) {
			l.oldest = r
		}
	}
}
