package quota

import (
	"fmt"
	"sync"
)

// Resource is a thing that is refused when none is left.
type Resource int

// The resources.
const (
	Connections   Resource = iota
	Handovers              // connections that hand over files
	Calls                  // open gRPC calls, uploads included
	Refused                // open calls that are about to be refused
	Uploads                // upload slots
	Verifications          // verifications that run
	Scrapes                // connections to the socket of the metrics
	resources
)

// String returns the name of the resource in metrics and errors.
func (r Resource) String() string {
	return [...]string{"connections", "handovers", "calls", "refused_calls", "uploads", "verifications", "scrapes"}[r]
}

const (
	// setAside is the divisor of the part that is set aside for the users of the rules.
	setAside = 4
	// weight is how many times the free rest a share may hold, beyond its part of that.
	weight = 3
)

// ExceededError is returned when a share holds as much as it may.
type ExceededError struct {
	Resource    Resource
	Party       Party
	Held, Total int64 // Held is that of the party's share
}

// Error implements error.
func (e *ExceededError) Error() string {
	return fmt.Sprintf("%s has %d of %d %s", e.Party, e.Held, e.Total, e.Resource)
}

// Ledger counts who holds how much of each resource. Its methods may be called from
// several goroutines.
type Ledger struct {
	mu      sync.Mutex // guards the fields below
	total   [resources]int64
	used    [resources]int64
	refused [resources]uint64
	shares  map[share]*account
	parties int64 // that the configuration lets in
}

// account is the use of a share, or of a user inside a share.
type account struct {
	held  [resources]int64
	users map[uint32]*account // nil for a user, and for the share of a single one
}

// NewLedger returns a Ledger in which every resource has a total of 0.
func NewLedger() *Ledger { return &Ledger{shares: make(map[share]*account), parties: 1} }

// SetTotal sets how much of a resource there is. Charges that exist stay.
func (l *Ledger) SetTotal(r Resource, total int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total[r] = total
}

// Total returns how much of a resource there is.
func (l *Ledger) Total(r Resource) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total[r]
}

// Used returns how much of a resource is in use.
func (l *Ledger) Used(r Resource) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used[r]
}

// SetParties says how many users and groups the configuration lets in. One alone may
// hold all upload slots.
func (l *Ledger) SetParties(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.parties = int64(max(n, 1))
}

// Charge is a thing that a party holds. Release it once it is no longer used.
type Charge struct {
	l    *Ledger
	p    Party
	r    Resource
	once sync.Once
}

// Take charges one of r to p, or returns an *ExceededError. It never waits.
func (l *Ledger) Take(p Party, r Resource) (*Charge, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := p.share()
	s := l.shares[key]
	if s == nil {
		s = &account{}
	}
	u := s.user(key, p.UID)
	more := l.more(key, s, r)
	if more < 1 || u != s && u.held[r]+1 > weight*(more-1) {
		l.refused[r]++
		return nil, &ExceededError{Resource: r, Party: p, Held: s.held[r], Total: l.total[r]}
	}
	l.used[r]++
	s.held[r]++
	l.shares[key] = s
	if u != s {
		u.held[r]++
		s.users[p.UID] = u
	}
	return &Charge{l: l, p: p, r: r}, nil
}

// more returns how many more of r the share may take now; mu is held.
func (l *Ledger) more(key share, s *account, r Resource) int64 {
	free := l.total[r] - l.used[r]
	if r == Uploads && l.parties == 1 && key.alone() {
		return free
	}
	// One part more is for administrators, who need no rule.
	part := l.total[r] / setAside / (l.parties + 1)
	absent := l.parties + 1
	common := free
	for _, other := range l.shares {
		if other != s {
			common -= max(part-other.held[r], 0)
			absent--
		}
	}
	common -= part * max(absent-1, 0) // s is one of the parties itself
	own := max(part-s.held[r], 0)
	common -= own
	over := max(s.held[r]-part, 0)
	// The largest k with over + k <= weight * (common - k).
	fair := (weight*common - over) / (weight + 1)
	return min(own+max(fair, 0), free)
}

// user returns the account of a user inside a share: the share itself when it is that
// of a single user.
func (a *account) user(key share, uid uint32) *account {
	if key.alone() {
		return a
	}
	if a.users == nil {
		a.users = make(map[uint32]*account)
	}
	if u := a.users[uid]; u != nil {
		return u
	}
	return &account{}
}

// Release gives the thing back. Later calls do nothing. A nil Charge holds nothing.
func (c *Charge) Release() {
	if c != nil {
		c.once.Do(func() { c.l.release(c.p, c.r) })
	}
}

func (l *Ledger) release(p Party, r Resource) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := p.share()
	s := l.shares[key]
	l.used[r]--
	s.held[r]--
	if u := s.user(key, p.UID); u != s {
		if u.held[r]--; u.held == [resources]int64{} {
			delete(s.users, p.UID)
		}
	}
	if s.held == [resources]int64{} {
		delete(l.shares, key)
	}
}

// Usage is the state of one resource.
type Usage struct {
	Name        string
	Used, Total int64
	// Largest is the most that one share holds.
	Largest int64
	Refused uint64 // since the start
}

// Usage returns the state of every resource.
func (l *Ledger) Usage() []Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Usage, resources)
	for r := range resources {
		out[r] = Usage{Name: r.String(), Used: l.used[r], Total: l.total[r], Refused: l.refused[r]}
		for _, s := range l.shares {
			out[r].Largest = max(out[r].Largest, s.held[r])
		}
	}
	return out
}
