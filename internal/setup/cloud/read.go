package cloud

import (
	"context"
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
)

// Read reads what the scope names. It fails only when ctx ends: what may not be
// read is part of the answer.
func (a *Accounts) Read(ctx context.Context, scope setup.Scope) (*setup.Snapshot, error) {
	s := &setup.Snapshot{
		Taken: time.Now().UTC(), Callers: a.Callers(),
		Identities: map[string]*setup.Identity{}, Buckets: map[string]*setup.BucketAt{}, Keys: map[string]*setup.KeyAt{}, Trails: map[string]*setup.TrailAt{},
		Policies: map[string]setup.Part[setup.Document]{},
	}
	for _, arn := range scope.Identities {
		s.Identities[arn] = a.readIdentity(ctx, arn)
	}
	for _, arn := range scope.Keys {
		s.Keys[arn] = a.readKey(ctx, arn)
	}
	for _, b := range scope.Buckets {
		s.Buckets[b.Name] = a.readBucket(ctx, b)
	}
	for _, arn := range scope.Trails {
		s.Trails[arn] = a.readTrail(ctx, arn)
	}
	for _, arn := range scope.Policies {
		s.Policies[arn] = a.readPolicy(ctx, arn)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading the accounts: %w", err)
	}
	return s, nil
}

// of finds the account and the Region of an ARN.
func (a *Accounts) of(arn string) (account, config.ARN, error) {
	parts, err := config.ParseARN(arn)
	if err != nil {
		return account{}, parts, err
	}
	acc, err := a.account(parts.Account)
	return acc, parts, err
}
