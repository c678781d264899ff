package access

import (
	"errors"

	"github.com/brokerd/brokerd/internal/config"
)

// Resolver looks up names of users and groups.
type Resolver struct {
	LookupUser  func(name string) (uid uint32, err error)
	LookupGroup func(name string) (gid uint32, err error)
	UserName    func(uid uint32) string // empty when unknown
	GroupName   func(gid uint32) string // empty when unknown
}

// Peer is the caller as the kernel attests it.
type Peer struct {
	UID, GID uint32
	PID      int32
}

// Decision says whether a call may go ahead, and why.
type Decision struct {
	Allowed    bool
	Reason     string // for people
	Rule       int    // line of the rule that allowed it; 0: none
	Suggestion string // YAML rule that would allow it, when it is refused
}

// Policy is an immutable set of resolved rules.
type Policy struct{}

// New resolves rules. daemonUID is the daemon's own user id.
func New(rules []config.Rule, daemonUID uint32, r Resolver) (*Policy, error) {
	return nil, errors.New("not built yet")
}

// Decide says whether peer has perm on destination; destination is "" for admin.
func (p *Policy) Decide(peer Peer, perm config.Permission, destination string) Decision {
	return Decision{}
}

// Known says whether any rule, or being an administrator, gives peer any right.
func (p *Policy) Known(peer Peer) bool { return false }

// Destinations filters names: those on which peer has any right.
func (p *Policy) Destinations(peer Peer, names []string) []string { return nil }

// Describe renders peer with names: "uid=1000(app) gid=1000(app) pid=42".
func (p *Policy) Describe(peer Peer) string { return "" }

// SystemResolver reads the user and group databases of the machine.
func SystemResolver() Resolver { return Resolver{} }
