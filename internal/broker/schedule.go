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

// refreshAt says when a session received at issued and ending at expires is to
// be replaced. Lives up to 20 min are refreshed at the half; longer ones with a
// third of their life left, 10 to 60 min. The jitter is rolled once per session:
// rolled at each tick it would shrink to nothing.
//
// maxAge, if not zero, replaces it at that age at the latest: long sessions that
// are renewed early ride out long outages.
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

// retryDelay says how long to wait after the nth failure in a row (from 1) when
// remaining is the life that is left, zero or less when there is none.
func retryDelay(class failureClass, n int, remaining time.Duration, rng *rand.Rand) time.Duration {
	shift := min(n, 16)
	switch class {
	case failTerminal:
		if remaining > 0 {
			// 60 s +-20 %: a policy that propagates, or is repaired, is noticed soon.
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

// stateOf compares wall clocks: a suspended machine's monotonic clock stands still.
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
