package broker

import (
	"math/rand/v2"
	"time"
)

const (
	// criticalLife is the remaining life below which a caller waits for the refresh.
	criticalLife = time.Minute

	transientCap        = time.Minute
	transientCapExpired = 15 * time.Second
	throttleBase        = 5 * time.Second
	throttleCap         = 2 * time.Minute
	terminalProbe       = time.Minute
	deniedFirst         = time.Second
)

// refreshAt returns when to replace a session that was received at issued and ends at
// expires. A life of up to 20 minutes is refreshed at its half, a longer one with a
// third of it left, but 10 to 60 minutes. The jitter is chosen once per session: chosen
// again at each tick, it would shrink to zero.
//
// A maxAge that is not zero is the latest age: a long session that is replaced early
// outlasts a long outage.
func refreshAt(issued, expires time.Time, maxAge time.Duration, rng *rand.Rand) time.Time {
	life := expires.Sub(issued)
	lead := life / 2
	if life > 20*time.Minute {
		lead = min(max(life/3, 10*time.Minute), time.Hour)
	}
	age := life - lead
	if maxAge > 0 && maxAge < age {
		age, life = maxAge, maxAge
	}
	return issued.Add(age - between(rng, min(life/12, 10*time.Minute)))
}

// retryDelay returns the wait after the nth failure in a row, counted from 1. remaining
// is the life that is left; zero or less without a session.
func retryDelay(class failureClass, n int, remaining time.Duration, rng *rand.Rand) time.Duration {
	shift := min(n, 16)
	switch class {
	case failTerminal:
		if remaining > 0 {
			// 60 s ±20 %, so that a repaired policy is noticed soon.
			return terminalProbe*8/10 + between(rng, terminalProbe*4/10)
		}
		return min(deniedFirst<<shift/2, terminalProbe)
	case failThrottle:
		span := min(throttleBase<<(shift-1), throttleCap)
		return span/2 + between(rng, span/2)
	default:
		limit := transientCap
		if remaining <= 0 {
			limit = transientCapExpired
		}
		span := min(time.Second<<shift, max(time.Second, remaining/8), limit)
		if remaining <= 0 {
			span = min(time.Second<<shift, limit)
		}
		return time.Second + between(rng, span)
	}
}

// stateOf compares wall clocks: the monotonic clock of a suspended host stands still.
func stateOf(s *Session, now time.Time) State {
	if s == nil {
		return StateEmpty
	}
	if s.Expires.IsZero() {
		return StateFresh
	}
	now = now.Round(0)
	switch left := s.Expires.Sub(now); {
	case left <= 0:
		return StateExpired
	case left < criticalLife:
		return StateCritical
	case !now.Before(s.RefreshAt):
		return StateDue
	default:
		return StateFresh
	}
}

func between(rng *rand.Rand, span time.Duration) time.Duration {
	if span <= 0 {
		return 0
	}
	return time.Duration(rng.Int64N(int64(span)))
}
