package broker

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/config"
)

// target is one configured destination.
type target struct {
	name  string
	entry *entry
	peer  config.PeerSession
	scope string // the limit of its session, or why there is none
}

// set holds the destinations of one configuration and the sessions that they share. It
// is immutable.
type set struct {
	cfg      *config.Config
	names    []string // sorted
	targets  map[string]*target
	pinned   map[sessionKey]*entry
	limiters map[source]*priorityLimiter
}

// newSet returns the set of a configuration. It takes over the entries of old whose
// request stays the same, with their state.
func newSet(c *config.Config, old *set) *set {
	s := &set{
		cfg: c, names: slices.Sorted(maps.Keys(c.Destinations)),
		targets: make(map[string]*target, len(c.Destinations)), pinned: make(map[sessionKey]*entry),
		limiters: make(map[source]*priorityLimiter),
	}
	for _, name := range s.names {
		d := c.Destinations[name]
		_, scope := scopePolicy(d)
		s.targets[name] = &target{name: name, peer: d.Session.Peer, scope: scope, entry: s.pin(requestOf(c, d), old)}
	}
	return s
}

func (s *set) pin(r Request, old *set) *entry {
	k := r.key()
	if e := s.pinned[k]; e != nil {
		return e
	}
	var e *entry
	if old != nil {
		e = old.pinned[k]
	}
	if e == nil {
		e = &entry{req: r, key: k, base: k, limiter: s.limiterOf(r.Source, old)}
		if r.Parent != nil {
			e.parent = s.pin(*r.Parent, old)
		}
	} else {
		s.limiters[r.Source] = e.limiter
		if e.parent != nil {
			s.pin(e.parent.req, old) // a kept session keeps the previous roles of its chain
		}
	}
	s.pinned[k] = e
	return e
}

// limiterOf keeps the rate limiter of a source across reloads, so that a reload adds no
// calls to STS.
func (s *set) limiterOf(src source, old *set) *priorityLimiter {
	t := s.limiters[src]
	if t == nil && old != nil {
		t = old.limiters[src]
	}
	if t == nil {
		t = newPriorityLimiter()
	}
	s.limiters[src] = t
	return t
}

// logScopes warns of sessions that have all rights of their role.
func (b *Broker) logScopes(s *set) {
	for _, name := range s.names {
		if t := s.targets[name]; strings.HasPrefix(t.scope, "left out") {
			b.log.Warn("the session has all rights of its role", zap.String("destination", name), zap.String("scope", t.scope))
		}
	}
}

// Prepare checks that the broker can follow c. It makes no call to AWS and
// changes nothing.
func (b *Broker) Prepare(c *config.Config) (config.Change, error) {
	if c == nil {
		return nil, errors.New("broker: no configuration to reload")
	}
	if c.AWS.CABundle != b.set.Load().cfg.AWS.CABundle {
		return nil, errors.New("aws.ca_bundle is read once, when the daemon starts: restart it to change the bundle")
	}
	return &change{b, c}, nil
}

// change is a prepared reload of the broker.
type change struct {
	b *Broker
	c *config.Config
}

// Discard implements config.Change.
func (*change) Discard() {}

// Commit swaps the destinations for those of the new configuration, all at once.
// A destination whose AssumeRole request stays the same keeps its session, its
// refresh in flight and its last failure. A removed destination is unknown from
// now on, also to callers that wait for its session. A destination whose request
// changed starts without the failures of the old request.
func (ch *change) Commit() {
	b, c := ch.b, ch.c
	b.reloadMu.Lock()
	defer b.reloadMu.Unlock()
	old := b.set.Load()
	next := newSet(c, old)
	b.set.Store(next)
	for name, t := range next.targets {
		if was := old.targets[name]; was == nil || was.entry != t.entry {
			t.entry.forgive()
		}
	}
	for _, k := range b.variants.Keys() {
		if e, ok := b.variants.Peek(k); ok && next.pinned[e.base] == nil {
			e.cut()
			b.variants.Remove(k)
		}
	}
	for k, e := range old.pinned {
		if next.pinned[k] == nil {
			e.cut()
			b.schedule(e)
		}
	}
	for _, e := range next.pinned {
		b.schedule(e)
	}
	b.logScopes(next)
	b.log.Info("destinations reloaded", zap.Strings("destinations", next.names))
}

// forgive allows an immediate retry of a refused request: the change of the
// configuration may have repaired the cause.
func (e *entry) forgive() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.class == failTerminal {
		e.retryAt, e.failures = time.Time{}, 0
	}
}
