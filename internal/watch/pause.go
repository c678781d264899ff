package watch

import (
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/brokerd/brokerd/internal/reason"
)

const (
	firstPause = time.Second
	lastPause  = 5 * time.Minute
	// busyPause is how long a watch waits when the daemon takes no upload and names no delay.
	busyPause = time.Second
)

// pause holds all files of a watch back after a failure that the next file would meet too.
// When its time has passed, one file at a time probes the destination; the first success
// ends the pause.
type pause struct {
	since   time.Time // zero: no pause
	until   time.Time
	reason  reason.Reason
	message string
	pauses  *backoff.ExponentialBackOff
	busy    time.Time // the daemon takes no upload until then
}

// active reports whether the last answers were failures.
func (p *pause) active() bool { return !p.since.IsZero() }

// failed begins or prolongs the pause. Failures of files that were in flight when it began
// do not prolong it.
func (p *pause) failed(now time.Time, e *Failure) (began bool) {
	p.reason, p.message = e.Reason, e.Message
	if p.active() && now.Before(p.until) {
		return false
	}
	if began = !p.active(); began {
		p.since, p.pauses = now, growing(firstPause, lastPause)
	}
	p.until = now.Add(max(p.pauses.NextBackOff(), e.After))
	return began
}

// refused waits until the daemon takes uploads again.
func (p *pause) refused(now time.Time, e *Failure) {
	p.busy = now.Add(max(busyPause, e.After))
}

// ended forgets the pause, and reports whether there was one.
func (p *pause) ended() bool {
	was := p.active()
	*p = pause{busy: p.busy}
	return was
}

// allows returns how many files may be in flight, and when that number can grow by itself.
func (p *pause) allows(now time.Time, most int) (n int, later time.Time) {
	switch {
	case now.Before(p.busy):
		return 0, p.busy
	case p.active() && now.Before(p.until):
		return 0, p.until
	case p.active():
		return 1, time.Time{}
	}
	return most, time.Time{}
}
