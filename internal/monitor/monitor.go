package monitor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	// atOnce bounds the verifications that are under way: they share the daemon's
	// turns at STS with the sessions of its uploads.
	atOnce = 4
	// limit bounds one verification, whatever its checks wait for.
	limit = 2 * time.Minute
	// soon is the longest that a first verification waits.
	soon = 5 * time.Second
)

// Options are what a Patrol is made of. All are required.
type Options struct {
	// Verify verifies one destination. It is called from several goroutines, for a
	// destination once at a time. An error means that it could not be verified.
	Verify func(ctx context.Context, destination string) (report.Report, error)
	// Changed is told the state before, whose Result is empty at first, and the
	// state after. It is called from several goroutines, for a destination in order.
	Changed func(before, after State)
	// Ended is told of every verification, also those that changed nothing.
	Ended func(State)
	Rand  *rand.Rand
}

// Patrol verifies destinations by itself. Its methods may be called from several goroutines.
type Patrol struct {
	o Options

	mu      sync.Mutex
	every   time.Duration
	beats   map[string]*beat
	changed chan struct{} // something is due at another time than before
}

// beat is one destination's.
type beat struct {
	state   State
	due     time.Time
	running bool
	stale   bool // the destination changed while it was being verified
}

// New makes a patrol that has no destinations yet.
func New(o Options) (*Patrol, error) {
	if o.Verify == nil || o.Changed == nil || o.Ended == nil || o.Rand == nil {
		return nil, errors.New("patrol: Verify, Changed, Ended and Rand are required")
	}
	return &Patrol{o: o, beats: make(map[string]*beat), changed: make(chan struct{}, 1)}, nil
}

// Adopt takes over an interval and a set of destinations. Those that are new, or
// named by renewed, are verified soon; what was found of them is forgotten. The
// others keep their state; their turn comes by the new interval.
func (p *Patrol) Adopt(every time.Duration, destinations, renewed []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, retimed := time.Now(), every != p.every
	p.every = every
	maps.DeleteFunc(p.beats, func(name string, _ *beat) bool { return !slices.Contains(destinations, name) })
	for _, name := range destinations {
		b := p.beats[name]
		switch {
		case b == nil:
			b = &beat{state: State{Destination: name}}
			p.beats[name] = b
			b.due = p.first(now)
		case slices.Contains(renewed, name):
			b.state, b.stale = State{Destination: name}, b.running
			b.due = p.first(now)
		case retimed && every > 0 && b.state.Checked.IsZero():
			b.due = p.first(now)
		case retimed:
			b.due = p.after(b.state.Checked)
		}
		if every == 0 {
			b.due = time.Time{}
		}
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// first is when a destination is verified for the first time.
func (p *Patrol) first(now time.Time) time.Time {
	return now.Add(time.Duration(p.o.Rand.Float64() * float64(min(soon, p.every/10))))
}

// after is when a destination is verified again: the interval, give or take a tenth.
func (p *Patrol) after(t time.Time) time.Time {
	if p.every == 0 {
		return time.Time{}
	}
	return t.Add(time.Duration((0.9 + 0.2*p.o.Rand.Float64()) * float64(p.every)))
}

// States are those of all destinations, by name.
func (p *Patrol) States() []State {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]State, 0, len(p.beats))
	for _, name := range slices.Sorted(maps.Keys(p.beats)) {
		s := p.beats[name].state
		s.Next = p.beats[name].due
		out = append(out, s)
	}
	return out
}

// Run verifies what is due until ctx ends, and returns when the last verification has.
func (p *Patrol) Run(ctx context.Context) error {
	var underway sync.WaitGroup
	defer underway.Wait()
	slots := make(chan struct{}, atOnce)
	for {
		name, at := p.next()
		var ring <-chan time.Time // never, when nothing is due
		if name != "" {
			ring = time.After(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.changed:
			continue
		case <-ring:
		}
		select {
		case <-ctx.Done():
			return nil
		case slots <- struct{}{}:
		}
		if b := p.begin(name); b != nil {
			underway.Go(func() {
				p.one(ctx, name, b)
				<-slots
			})
		} else {
			<-slots // it went, or its time was moved, meanwhile
		}
	}
}

// next is the destination whose turn comes first; empty when nothing is due.
func (p *Patrol) next() (name string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, b := range p.beats {
		if b.due.IsZero() || b.running {
			continue
		}
		if name == "" || b.due.Before(at) {
			name, at = n, b.due
		}
	}
	return name, at
}

func (p *Patrol) begin(name string) *beat {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.beats[name]
	if b == nil || b.running || b.due.IsZero() || b.due.After(time.Now()) {
		return nil
	}
	b.running = true
	return b
}

func (p *Patrol) one(ctx context.Context, name string, b *beat) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	seen, err := p.o.Verify(bounded, name)
	after := found(name, seen)
	if err != nil && after.Result != report.Fail {
		after.Result = report.Unknown
		after.Problems = append(after.Problems, report.Check{Result: report.Unknown, Why: fmt.Sprintf("the verification did not end: %v", err)})
	}
	after.Checked = time.Now()
	after.Took = after.Checked.Sub(began)
	if before, ok := p.keep(ctx, b, &after); ok {
		p.o.Ended(after)
		if !after.like(before) {
			p.o.Changed(before, after)
		}
	}
	// Only now: the observer hears of one destination in order.
	p.mu.Lock()
	b.running = false
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// keep takes what was found over, unless it is of a destination that changed or
// went meanwhile, or the verification was cut short because the daemon stops.
func (p *Patrol) keep(ctx context.Context, b *beat, after *State) (before State, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stale := b.stale || p.beats[after.Destination] != b || ctx.Err() != nil
	b.stale = false
	if stale {
		return State{}, false
	}
	before = b.state
	after.Since = after.Checked
	if after.like(before) {
		after.Since = before.Since
	}
	b.due = p.after(after.Checked)
	b.state = *after
	after.Next = b.due
	return before, true
}
