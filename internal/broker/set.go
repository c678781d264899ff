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
	scope string // what its session is limited to, or why it is not
}

// set is what one configuration asks for: its destinations, and the sessions
// they share. It never changes once it is made.
type set struct {
	cfg     *config.Config
	names   []string // sorted
	targets map[string]*target
	pinned  map[sessionKey]*entry
	turns   map[source]*turnstile
}

// newSet makes the set of a configuration. Sessions of old whose request is
// asked for again are taken over with everything they hold.
func newSet(c *config.Config, old *set) *set {
	s := &set{
		cfg: c, names: slices.Sorted(maps.Keys(c.Destinations)),
		targets: make(map[string]*target, len(c.Destinations)), pinned: make(map[sessionKey]*entry),
		turns: make(map[source]*turnstile),
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
		e = &entry{req: r, key: k, base: k, turns: s.turnsOf(r.Source, old)}
		if r.Parent != nil {
			e.parent = s.pin(*r.Parent, old)
		}
	} else {
		s.turns[r.Source] = e.turns
		if e.parent != nil {
			s.pin(e.parent.req, old) // a kept session keeps the roles it comes from
		}
	}
	s.pinned[k] = e
	return e
}

// turnsOf keeps the turnstile of a source across reloads: a reload gives nobody
// more calls to STS.
func (s *set) turnsOf(src source, old *set) *turnstile {
	t := s.turns[src]
	if t == nil && old != nil {
		t = old.turns[src]
	}
	if t == nil {
		t = newTurnstile()
	}
	s.turns[src] = t
	return t
}

// logScopes says which sessions may do all that their role may.
func (b *Broker) logScopes(s *set) {
	for _, name := range s.names {
		if t := s.targets[name]; strings.HasPrefix(t.scope, "left out") {
			b.log.Warn("the session keeps all rights of its role", zap.String("destination", name), zap.String("scope", t.scope))
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
			b.plan(e)
		}
	}
	for _, e := range next.pinned {
		b.plan(e)
	}
	b.logScopes(next)
	b.log.Info("destinations reloaded", zap.Strings("destinations", next.names))
}

// forgive lets a refused request be tried again at once: somebody changed
// something, and that may have been the cure.
func (e *entry) forgive() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.class == failTerminal {
		e.retryAt, e.failures = time.Time{}, 0
	}
}
