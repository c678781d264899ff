package spool

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
)

// Whatever objects come, go, die and are brought back: the oldest is the one that
// a look at all of them finds.
func TestTheOldestIsTheOldest(t *testing.T) {
	x := newIndex(nil)
	rng := rand.New(rand.NewPCG(1, 2))
	queues := []*destQueue{x.queue("a"), x.queue("b")}
	var all []*record
	for n := range 20_000 {
		switch k := rng.IntN(10); {
		case k < 4 || len(all) == 0:
			r := &record{id: ulid.ULID{byte(n >> 16), byte(n >> 8), byte(n)}, queue: queues[rng.IntN(2)], received: int64(n) - rng.Int64N(50),
				state: Queued}
			x.enter(r)
			all = append(all, r)
		case k < 8:
			i := rng.IntN(min(len(all), 5))
			x.forget(all[i])
			all = append(all[:i], all[i+1:]...)
		default:
			r := all[rng.IntN(len(all))]
			x.move(r, []State{Queued, Delivering, Dead}[rng.IntN(3)])
		}
		if rng.IntN(4) > 0 {
			continue
		}
		x.findOldest(time.Time{})
		for _, l := range queues {
			var want *record
			for _, r := range all {
				if r.queue == l && r.state != Dead && (want == nil || r.received < want.received) {
					want = r
				}
			}
			if want != nil && l.oldest.received != want.received {
				t.Fatalf("step %d, %s: %d, want %d", n, l.name, l.oldest.received, want.received)
			}
		}
	}
}
