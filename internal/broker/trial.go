package broker

import (
	"context"
	"fmt"
	"time"
)

// trialLife is the shortest session that STS gives.
const trialLife = 15 * time.Minute

// Trial asks for a session of a destination's role with one thing changed, to
// find out what STS says. Nothing of it is kept.
type Trial struct {
	// Unscoped leaves out the session policy: the session may do all that the role may.
	Unscoped bool
	// ExternalID replaces the configured one; nil keeps it, empty leaves it out.
	ExternalID *string
}

// Try makes one AssumeRole call for a destination. The caller owns the session,
// and drops it: nobody renews it, nothing else uses it.
func (b *Broker) Try(ctx context.Context, destination string, trial Trial) (*Session, error) {
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
	r.Duration = trialLife
	if trial.Unscoped || t.entry.wide.Load() {
		r.Policy = ""
	}
	if trial.ExternalID != nil {
		r.ExternalID = *trial.ExternalID
	}
	s, err := b.issuer.Issue(ctx, r, via)
	if err != nil {
		return nil, fmt.Errorf("destination %q: trying to assume the role: %w", destination, err)
	}
	return s, nil
}

// ScopePolicy is the session policy that limits a destination's session; empty
// when there is none.
func (b *Broker) ScopePolicy(destination string) (string, error) {
	t, err := b.target(destination)
	if err != nil {
		return "", err
	}
	if t.entry.wide.Load() {
		return "", nil
	}
	return t.entry.req.Policy, nil
}
