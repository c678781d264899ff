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
	// atOnce bounds the verifications in flight: they share the daemon's rate limit at
	// STS with its uploads.
	atOnce = 4
	// limit is the timeout of one verification.
	limit = 2 * time.Minute
	// soon is the longest delay of a first verification.
	soon = 5 * time.Second
)

// Options configure a Monitor. All fields are required.
type Options struct {
	// Verify verifies one destination. Several goroutines call it, for each
	// destination one at a time. An error means that it could not be verified.
	Verify func(ctx context.Context, destination string) (report.Report, error)
	// Changed gets the state before, whose Result is empty at first, and the state
	// after. Several goroutines call it, for each destination in order.
	Changed func(before, after State)
	// Ended gets the state after every verification.
	Ended func(State)
	Rand  *rand.Rand
}

// Monitor verifies destinations regularly. Its methods are safe for concurrent use.
type Monitor struct {
	o Options

	mu      sync.Mutex
	every   time.Duration
	entries map[string]*entry
	changed chan struct{} // a due time has changed
}

// entry is the state of one destination.
type entry struct {
	state   State
	due     time.Time
	running bool
	stale   bool // the destination changed while it was being verified
}

// New returns a Monitor without destinations; see Adopt.
func New(o Options) (*Monitor, error) {
	if o.Verify == nil || o.Changed == nil || o.Ended == nil || o.Rand == nil {
		return nil, errors.New("monitor: Verify, Changed, Ended and Rand are required")
	}
	return &Monitor{o: o, entries: make(map[string]*entry), changed: make(chan struct{}, 1)}, nil
}

// Adopt sets the interval and the destinations. New destinations, and those in
// renewed, lose their state and are verified soon. The others keep their state and
// are due by the new interval.
func (m *Monitor) Adopt(every time.Duration, destinations, renewed []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, retimed := time.Now(), every != m.every
	m.every = every
	maps.DeleteFunc(m.entries, func(name string, _ *entry) bool { return !slices.Contains(destinations, name) })
	for _, name := range destinations {
		b := m.entries[name]
		switch {
		case b == nil:
			b = &entry{state: State{Destination: name}}
			m.entries[name] = b
			b.due = m.first(now)
		case slices.Contains(renewed, name):
			b.state, b.stale = State{Destination: name}, b.running
			b.due = m.first(now)
		case retimed && every > 0 && b.state.Checked.IsZero():
			b.due = m.first(now)
		case retimed:
			b.due = m.after(b.state.Checked)
		}
		if every == 0 {
			b.due = time.Time{}
		}
	}
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// first returns the time of a first verification.
func (m *Monitor) first(now time.Time) time.Time {
	return now.Add(time.Duration(m.o.Rand.Float64() * float64(min(soon, m.every/10))))
}

// after returns the time of the next verification: an interval later, plus or minus
// up to a tenth.
func (m *Monitor) after(t time.Time) time.Time {
	if m.every == 0 {
		return time.Time{}
	}
	return t.Add(time.Duration((0.9 + 0.2*m.o.Rand.Float64()) * float64(m.every)))
}

// States returns the states of all destinations, sorted by name.
func (m *Monitor) States() []State {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]State, 0, len(m.entries))
	for _, name := range slices.Sorted(maps.Keys(m.entries)) {
		s := m.entries[name].state
		s.Next = m.entries[name].due
		out = append(out, s)
	}
	return out
}

// Run verifies destinations when they are due until ctx ends. It returns after the
// last verification has ended.
func (m *Monitor) Run(ctx context.Context) error {
	var underway sync.WaitGroup
	defer underway.Wait()
	slots := make(chan struct{}, atOnce)
	for {
		name, at := m.next()
		var ring <-chan time.Time // nil, which blocks, when no destination is due
		if name != "" {
			ring = time.After(time.Until(at))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-m.changed:
			continue
		case <-ring:
		}
		select {
		case <-ctx.Done():
			return nil
		case slots <- struct{}{}:
		}
		if b := m.begin(name); b != nil {
			underway.Go(func() {
				m.verify(ctx, name, b)
				<-slots
			})
		} else {
			<-slots // it was removed, or is due at another time
		}
	}
}

// next returns the destination that is due first, and when; "" when none is due.
func (m *Monitor) next() (name string, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n, b := range m.entries {
		if b.due.IsZero() || b.running {
			continue
		}
		if name == "" || b.due.Before(at) {
			name, at = n, b.due
		}
	}
	return name, at
}

func (m *Monitor) begin(name string) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.entries[name]
	if b == nil || b.running || b.due.IsZero() || b.due.After(time.Now()) {
		return nil
	}
	b.running = true
	return b
}

func (m *Monitor) verify(ctx context.Context, name string, b *entry) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	seen, err := m.o.Verify(bounded, name)
	after := found(name, seen)
	if err != nil && after.Result != report.Fail {
		after.Result = report.Unknown
		after.Problems = append(after.Problems, report.Check{Result: report.Unknown, Why: fmt.Sprintf("the verification did not end: %v", err)})
	}
	after.Checked = time.Now()
	after.Took = after.Checked.Sub(began)
	if before, ok := m.keep(ctx, b, &after); ok {
		m.o.Ended(after)
		if !after.like(before) {
			m.o.Changed(before, after)
		}
	}
	// Only now, so that Changed is called in order.
	m.mu.Lock()
	b.running = false
	m.mu.Unlock()
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// keep stores a result, unless its destination changed or was removed in between,
// or the verification was cut short because the daemon stops.
func (m *Monitor) keep(ctx context.Context, b *entry, after *State) (before State, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	stale := b.stale || m.entries[after.Destination] != b || ctx.Err() != nil
	b.stale = false
	if stale {
		return State{}, false
	}
	before = b.state
	after.Since = after.Checked
	if after.like(before) {
		after.Since = before.Since
	}
	b.due = m.after(after.Checked)
	b.state = *after
	after.Next = b.due
	return before, true
}
