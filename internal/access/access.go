package access

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/config"
)

// Peer is the caller as the kernel attests it.
type Peer struct {
	UID, GID uint32
	// Groups are the supplementary groups (SO_PEERGROUPS), in any order; nil when the
	// kernel does not report them.
	Groups []uint32
	PID    int32 // for logs only; 0 across pid namespaces
	// SameNamespaces reports that the process is in the user and PID namespaces of the
	// daemon, so that it is no container next to it.
	SameNamespaces bool
	// Unit and Pod are the systemd unit and the UID of the Kubernetes pod that the
	// process was in when it connected; empty when they are not known. No rule asks
	// for them.
	Unit, Pod string
}

// String gives the numbers alone: "uid=1000 gid=1000 pid=42".
func (p Peer) String() string { return fmt.Sprintf("uid=%d gid=%d pid=%d", p.UID, p.GID, p.PID) }

// Decision says whether a call may go ahead, and why.
type Decision struct {
	Allowed bool
	// Reason is one sentence for people.
	Reason string
	// Rule is the line of the rule that allowed it; 0 when none did.
	Rule int
	// Suggestion is a YAML rule that would allow it; empty when it is allowed.
	Suggestion string
}

// Policy is an immutable set of resolved rules. It is safe for concurrent use.
type Policy struct {
	rules        []rule
	host         Host
	ownerIsAdmin bool
	resolver     Resolver
}

// rule is a config.Rule with its names resolved.
type rule struct {
	line         int
	uid, gid     *uint32 // nil: any
	destinations []string
	allow        []config.Permission
}

func (r rule) matches(p Peer, h Host) bool {
	if r.uid == nil && r.gid == nil || h.nameless(p) {
		return false // a rule that names no peer matches none
	}
	return (r.uid == nil || *r.uid == p.UID) && (r.gid == nil || h.inGroup(p, *r.gid))
}

func (r rule) covers(destination string) bool {
	return slices.Contains(r.destinations, "*") || slices.Contains(r.destinations, destination)
}

// New resolves the names of users and groups in the rules of c. A name that does not exist
// is an error, and so is a number that several users share on this host.
func New(c *config.Config, host Host, resolver Resolver) (*Policy, error) {
	p := &Policy{host: host, ownerIsAdmin: !host.Container, resolver: resolver}
	if set := c.Socket.OwnerIsAdmin; set != nil {
		p.ownerIsAdmin = *set
	}
	for _, in := range c.Access {
		out := rule{line: in.Line, destinations: slices.Clone(in.Destinations), allow: slices.Clone(in.Allow)}
		var err error
		if out.uid, err = resolve(in.Peer.UID, resolver.LookupUser); err != nil {
			return nil, fmt.Errorf("access rule in line %d: user %q: %w; create the user, or give its number", in.Line, in.Peer.UID, err)
		}
		if out.gid, err = resolve(in.Peer.GID, resolver.LookupGroup); err != nil {
			return nil, fmt.Errorf("access rule in line %d: group %q: %w; create the group, or give its number", in.Line, in.Peer.GID, err)
		}
		if err := host.distinct(out); err != nil {
			return nil, fmt.Errorf("access rule in line %d: %w", in.Line, err)
		}
		p.rules = append(p.rules, out)
	}
	return p, nil
}

// distinct returns an error when a number of the rule stands for several users, or for
// none, because the daemon's user namespace does not map all ids.
func (h Host) distinct(r rule) error {
	for _, id := range []struct {
		kind     string
		id       *uint32
		ids      IDMap
		overflow uint32
	}{{"user", r.uid, h.Users, orDefault(h.OverflowUID)}, {"group", r.gid, h.Groups, orDefault(h.OverflowGID)}} {
		switch {
		case id.id == nil || id.ids.Whole():
		case *id.id == id.overflow:
			return fmt.Errorf("%s %d stands for every %s that the daemon's user namespace does not map, so that the rule would let strangers in; "+
				"give the %s a number of its own, or run the daemon in the host's user namespace", id.kind, *id.id, id.kind, id.kind)
		case !id.ids.Contains(*id.id):
			return fmt.Errorf("%s %d does not exist in the daemon's user namespace (/proc/self/%cid_map), so that the rule can match no caller; "+
				"name a mapped %s, or run the daemon in the host's user namespace", id.kind, *id.id, id.kind[0], id.kind)
		}
	}
	return nil
}

// noID is no user and no group: the kernel has it for "none", and a rule cannot name it.
const noID = 1<<32 - 1

// Grouped says whether the peer's group is known.
func (p Peer) Grouped() bool { return p.GID != noID }

// PeerOf is a peer that a configuration names, where the kernel reports none. Without a
// group, rules that ask for one do not match it.
func PeerOf(p config.Peer, resolver Resolver) (Peer, error) {
	uid, err := resolve(p.UID, resolver.LookupUser)
	if err != nil {
		return Peer{}, fmt.Errorf("user %q: %w; create the user, or give its number", p.UID, err)
	}
	gid, err := resolve(p.GID, resolver.LookupGroup)
	if err != nil {
		return Peer{}, fmt.Errorf("group %q: %w; create the group, or give its number", p.GID, err)
	}
	if uid == nil {
		return Peer{}, fmt.Errorf("no user is named")
	}
	out := Peer{UID: *uid, GID: noID}
	if gid != nil {
		out.GID = *gid
	}
	return out, nil
}

// resolve turns a name or a number into an id; nil when there is none. A number
// is never looked up: it may belong to another user namespace.
func resolve(s string, lookup func(string) (uint32, error)) (*uint32, error) {
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil {
		id := uint32(n)
		return &id, nil
	}
	if lookup == nil {
		return nil, fmt.Errorf("names cannot be looked up here")
	}
	id, err := lookup(s)
	if err != nil {
		return nil, err
	}
	return &id, nil
}

// Decide says whether peer has perm on destination. For config.PermAdmin the
// destination is not looked at: admin is a right over the daemon.
func (p *Policy) Decide(peer Peer, perm config.Permission, destination string) Decision {
	if r := p.allowing(peer, perm, destination); r != nil {
		return Decision{
			Allowed: true,
			Rule:    r.line,
			Reason:  fmt.Sprintf("the access rule in line %d allows %s to %s", r.line, p.Describe(peer), what(perm, destination)),
		}
	}
	if perm == config.PermAdmin && p.builtinAdmin(peer) {
		return Decision{Allowed: true, Reason: p.Describe(peer) + " is root or the daemon's own user, in the daemon's own namespaces"}
	}
	return Decision{
		Reason: fmt.Sprintf(
			"no access rule allows %s to %s%s",
			p.Describe(peer),
			what(perm, destination),
			p.nearMiss(peer, perm, destination),
		),
		Suggestion: p.suggest(peer, perm, destination),
	}
}

// Allows says whether a rule allows it: the answer of Decide without its reasons,
// for calls that come by the thousand. Where it is no, Decide has the last word.
func (p *Policy) Allows(peer Peer, perm config.Permission, destination string) bool {
	return p.allowing(peer, perm, destination) != nil
}

func (p *Policy) allowing(peer Peer, perm config.Permission, destination string) *rule {
	for i := range p.rules {
		if r := &p.rules[i]; r.matches(peer, p.host) && slices.Contains(r.allow, perm) && (perm == config.PermAdmin || r.covers(destination)) {
			return r
		}
	}
	return nil
}

// builtinAdmin reports whether the peer administers without a rule. A container next to the
// daemon may have the same numbers: it is in other namespaces.
func (p *Policy) builtinAdmin(peer Peer) bool {
	return p.ownerIsAdmin && peer.SameNamespaces && p.owner(peer)
}

// owner reports whether the peer has the number of root or of the daemon's own user.
func (p *Policy) owner(peer Peer) bool {
	return !p.host.nameless(peer) && (peer.UID == 0 || peer.UID == p.host.DaemonUID)
}

func what(perm config.Permission, destination string) string {
	switch perm {
	case config.PermAdmin:
		return "administer the daemon"
	case config.PermUpload:
		return "upload to " + strconv.Quote(destination)
	case config.PermVerify:
		return "verify " + strconv.Quote(destination)
	case config.PermCredentials:
		return "have the credentials of " + strconv.Quote(destination)
	}
	return string(perm) + " on " + strconv.Quote(destination)
}

// nearMiss lists the rights that the peer's own rules give.
func (p *Policy) nearMiss(peer Peer, perm config.Permission, destination string) string {
	if p.host.nameless(peer) {
		return "; the number stands for every user that the daemon's user namespace does not map, and no rule matches it"
	}
	if perm == config.PermAdmin && p.owner(peer) {
		if !p.ownerIsAdmin {
			return "; root and the daemon's own user may administer by rule only (socket.owner_is_admin)"
		}
		return "; root and the daemon's own user may administer without a rule only from the daemon's own user and PID namespaces"
	}
	for _, r := range p.rules {
		switch {
		case !r.matches(peer, p.host):
		case r.covers(destination):
			return fmt.Sprintf("; the rule in line %d matches, but allows %s only", r.line, listed(r.allow))
		case slices.Contains(r.allow, perm):
			return fmt.Sprintf("; the rule in line %d allows it for other destinations", r.line)
		}
	}
	return ""
}

func listed(perms []config.Permission) string {
	names := make([]string, len(perms))
	for i, perm := range perms {
		names[i] = string(perm)
	}
	return strings.Join(names, ", ")
}

// suggest gives the narrowest rule that allows the call.
func (p *Policy) suggest(peer Peer, perm config.Permission, destination string) string {
	uid := strconv.FormatUint(uint64(peer.UID), 10)
	if name := p.userName(peer.UID); name != "" {
		uid = name
	}
	s := "- peer: {uid: " + strconv.Quote(uid) + "}\n"
	if perm != config.PermAdmin {
		s += "  destinations: [" + strconv.Quote(destination) + "]\n"
	}
	return s + "  allow: [" + string(perm) + "]\n"
}

// Known says whether peer has any right at all. Callers for whom it is false
// learn nothing about the daemon, not even which destinations exist.
func (p *Policy) Known(peer Peer) bool {
	if p.builtinAdmin(peer) {
		return true
	}
	return slices.ContainsFunc(p.rules, func(r rule) bool { return r.matches(peer, p.host) && len(r.allow) > 0 })
}

// Destinations returns those of names that peer may know about: it has a right
// there, or it may administer. The order is kept.
func (p *Policy) Destinations(peer Peer, names []string) []string {
	admin := p.Decide(peer, config.PermAdmin, "").Allowed
	var out []string
	for _, name := range names {
		if admin || slices.ContainsFunc(p.rules, func(r rule) bool { return r.matches(peer, p.host) && len(r.allow) > 0 && r.covers(name) }) {
			out = append(out, name)
		}
	}
	return out
}

// Describe gives the peer with its names, for people: "uid=1000(app) gid=1000(app)".
func (p *Policy) Describe(peer Peer) string {
	s := fmt.Sprintf("uid=%d", peer.UID)
	if name := p.userName(peer.UID); name != "" {
		s += "(" + name + ")"
	}
	if !peer.Grouped() {
		return s
	}
	s += fmt.Sprintf(" gid=%d", peer.GID)
	if p.resolver.GroupName != nil {
		if name := p.resolver.GroupName(peer.GID); name != "" {
			s += "(" + name + ")"
		}
	}
	return s
}

func (p *Policy) userName(uid uint32) string {
	if p.resolver.UserName == nil {
		return ""
	}
	return p.resolver.UserName(uid)
}
