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

// stripedCounter counts how often a session was served. Its stripes lie a cache line
// apart, so that readers on several cores do not contend for one counter.
type stripedCounter struct {
	stripes [8]struct {
		n [servedStates]atomic.Uint64
		_ [64 - 8*servedStates]byte
	}
}

// add counts in a random stripe. The choice changes no result, so the runtime's own
// generator makes it.
func (c *stripedCounter) add(state int) { c.stripes[rand.Uint32()%8].n[state].Add(1) }

func (c *stripedCounter) count(state int) (sum uint64) {
	for i := range c.stripes {
		sum += c.stripes[i].n[state].Load()
	}
	return sum
}

func (c *stripedCounter) addState(s State) {
	switch s {
	case StateFresh:
		c.add(servedFresh)
	case StateDue:
		c.add(servedDue)
	case StateCritical:
		c.add(servedCritical)
	}
}
