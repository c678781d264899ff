package awsaccounts

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/setup"
)

// readsAtATime keeps the reading of many destinations short, and far from the rates
// at which IAM begins to throttle.
const readsAtATime = 6

// Read reads the parts that the scope names. It fails only when ctx ends: a part
// that must not be read is an answer of its own.
func (a *Accounts) Read(ctx context.Context, scope setup.Scope) (*setup.Snapshot, error) {
	s := &setup.Snapshot{
		Taken: time.Now().UTC(), Callers: a.Callers(),
		Identities: map[string]*setup.Identity{}, Buckets: map[string]*setup.BucketAt{}, Keys: map[string]*setup.KeyAt{},
		Trails:   map[string]*setup.TrailAt{},
		Policies: map[string]setup.Part[setup.Document]{},
	}
	var (
		mu    sync.Mutex
		tasks errgroup.Group
	)
	tasks.SetLimit(readsAtATime)
	// read keeps what f finds, which f hands over under the lock.
	read := func(f func() (keep func())) {
		tasks.Go(func() error {
			keep := f()
			mu.Lock()
			defer mu.Unlock()
			keep()
			return nil
		})
	}
	for _, arn := range scope.Identities {
		read(func() func() { id := a.readIdentity(ctx, arn); return func() { s.Identities[arn] = id } })
	}
	for _, arn := range scope.Keys {
		read(func() func() { k := a.readKey(ctx, arn); return func() { s.Keys[arn] = k } })
	}
	for _, ref := range scope.Buckets {
		read(func() func() {
			b := a.readBucket(ctx, ref, scope.Unfinished)
			return func() { s.Buckets[ref.Name] = b }
		})
	}
	for _, arn := range scope.Trails {
		read(func() func() { t := a.readTrail(ctx, arn); return func() { s.Trails[arn] = t } })
	}
	for _, arn := range scope.Policies {
		read(func() func() { p := a.readPolicy(ctx, arn); return func() { s.Policies[arn] = p } })
	}
	if err := tasks.Wait(); err != nil {
		return nil, err
	}
	a.readLogTargets(ctx, s, scope)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("reading the accounts: %w", err)
	}
	return s, nil
}

// readLogTargets reads the buckets that receive access logs, or are to receive them. S3
// delivers logs within an account and a Region.
func (a *Accounts) readLogTargets(ctx context.Context, s *setup.Snapshot, scope setup.Scope) {
	targets := slices.Clone(scope.LogTargets)
	for _, ref := range scope.Buckets {
		if b := s.Buckets[ref.Name]; b != nil && b.Logging.Is() && b.Logging.Value.Bucket != "" {
			targets = append(targets, setup.BucketRef{Name: b.Logging.Value.Bucket, Account: ref.Account, Region: ref.Region})
		}
	}
	for _, ref := range targets {
		if s.LogTargets[ref.Name] != nil {
			continue
		}
		if s.LogTargets == nil {
			s.LogTargets = map[string]*setup.BucketAt{}
		}
		s.LogTargets[ref.Name] = a.readBucket(ctx, ref, false)
	}
}

// of finds the account and the Region of an ARN.
func (a *Accounts) of(arn string) (account, awsarn.ARN, error) {
	parts, err := awsarn.Parse(arn)
	if err != nil {
		return account{}, parts, err
	}
	acc, err := a.account(parts.Account)
	return acc, parts, err
}
