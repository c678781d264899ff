package broker

import (
	"context"
	"fmt"
	"time"
)

// overrideLife is the shortest session that STS issues.
const overrideLife = 15 * time.Minute

// AssumeOverrides changes one property of a destination's AssumeRole request.
type AssumeOverrides struct {
	// Unscoped omits the session policy: the session has all rights of the role.
	Unscoped bool
	// ExternalID replaces the configured one; nil keeps it, and an empty one is omitted.
	ExternalID *string
}

// AssumeOnce makes one AssumeRole call for a destination, with overrides. The broker
// keeps no copy of the session and does not refresh it.
func (b *Broker) AssumeOnce(ctx context.Context, destination string, o AssumeOverrides) (*Session, error) {
	t, err := b.target(destination)
	if err != nil {
		return nil, err
	}
	var via *Session
	if t.entry.parent != nil {
		if via, err = b.parentSession(ctx, t.entry); err != nil {
			return nil, fmt.Errorf("destination %q: %w", destination, err)
		}
	}
	r := t.entry.req
	r.Duration = overrideLife
	if o.Unscoped || t.entry.policyOmitted.Load() {
		r.Policy = ""
	}
	if o.ExternalID != nil {
		r.ExternalID = *o.ExternalID
	}
	s, err := b.issuer.Issue(ctx, r, via)
	if err != nil {
		return nil, fmt.Errorf("destination %q: assuming the role once: %w", destination, err)
	}
	return s, nil
}

// ScopePolicy returns the session policy that limits a destination's session; empty:
// none.
func (b *Broker) ScopePolicy(destination string) (string, error) {
	t, err := b.target(destination)
	if err != nil {
		return "", err
	}
	if t.entry.policyOmitted.Load() {
		return "", nil
	}
	return t.entry.req.Policy, nil
}
