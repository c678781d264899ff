package broker

import (
	"math/rand/v2"
	"sync/atomic"
)

// The states in which a session is served.
const (
	servedFresh = iota
	servedDue
	servedCritical
	servedStates
)

// tally counts how often a session was served. It is made of stripes that lie a
// cache line apart: readers on several cores must not meet in one counter.
type tally struct {
	stripes [8]struct {
		n [servedStates]atomic.Uint64
		_ [64 - 8*servedStates]byte
	}
}

// add counts in a stripe that is picked at random; which one changes no result,
// so the runtime's own generator does.
func (t *tally) add(state int) { t.stripes[rand.Uint32()%8].n[state].Add(1) }

func (t *tally) count(state int) (sum uint64) {
	for i := range t.stripes {
		sum += t.stripes[i].n[state].Load()
	}
	return sum
}

func (t *tally) addState(s State) {
	switch s {
	case StateFresh:
		t.add(servedFresh)
	case StateDue:
		t.add(servedDue)
	case StateCritical:
		t.add(servedCritical)
	}
}
