package rpc

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
)

// policy is the current configuration with its access rules; it implements
// intake.Policy. A reload swaps both at once.
type policy struct {
	current atomic.Pointer[configuration]
	lines   *quota.Lines
}

// configuration is immutable.
type configuration struct {
	config *config.Config
	rules  *access.Policy
}

// Config implements intake.Policy.
func (l *policy) Config() *config.Config { return l.current.Load().config }

func (l *policy) rules() *access.Policy { return l.current.Load().rules }

// Describe implements intake.Policy.
func (l *policy) Describe(p access.Peer) string { return l.rules().Describe(p) }

// Party implements intake.Policy.
func (l *policy) Party(p access.Peer) quota.Party { return l.rules().Party(p) }

// Allow implements intake.Policy.
func (l *policy) Allow(p access.Peer, perm config.Permission, destination string) error {
	// A user without a rule gets the same answer for every name.
	if _, ok := l.Config().Destinations[destination]; !ok && l.rules().Known(p) {
		return l.unknown(p, destination)
	}
	return l.decide(p, perm, destination)
}

// decide returns an error unless the peer has the permission. destination is empty for
// permissions that concern none.
func (l *policy) decide(p access.Peer, perm config.Permission, destination string) error {
	if l.rules().Allows(p, perm, destination) {
		return nil
	}
	d := l.rules().Decide(p, perm, destination)
	if d.Allowed {
		return nil
	}
	r := reason.PeerNotAllowed
	if perm == config.PermAdmin {
		r = reason.AdminOnly
	}
	l.lines.Warn(l.Party(p), string(r), "call refused by the access rules", zap.String("peer", l.Describe(p)), zap.Int32("pid", p.PID),
		zap.String("permission", string(perm)), zap.String("destination", destination), zap.String("why", d.Reason))
	return l.refused(r, d.Reason, d.Suggestion).With("destination", destination)
}

// refused returns an error that contains the rule which would allow the call; rule may
// be empty.
func (l *policy) refused(r reason.Reason, why, rule string) *reason.Error {
	e := reason.New(r, "%s", why)
	if rule != "" {
		e.Message += "; this rule under access: in " + l.Config().Path + " would allow it:\n" + rule
		e = e.With("rule", rule)
	}
	return e
}

// maxDestination bounds the destination that an error repeats, in bytes.
const maxDestination = 64

// unknown names the destinations that the peer may use, and no others.
func (l *policy) unknown(p access.Peer, destination string) error {
	mine := l.rules().Destinations(p, slices.Sorted(maps.Keys(l.Config().Destinations)))
	hint := "this user may use none"
	if len(mine) > 0 {
		hint = "this user may use: " + strings.Join(mine, ", ")
	}
	if len(destination) > maxDestination {
		destination = destination[:maxDestination] + "…"
	}
	return reason.New(reason.UnknownDestination, "there is no destination %q; %s", destination, hint)
}
