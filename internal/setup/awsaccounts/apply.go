package awsaccounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/brokerd/brokerd/internal/setup"
)

// ErrChanged is returned when a document is not the one that the plan was made with.
var ErrChanged = errors.New("it was changed since the plan was made; plan again")

// Stage says how far a change is.
type Stage string

// The stages. Waiting comes, perhaps several times, while AWS does not know a new
// role everywhere yet.
const (
	Writing Stage = "writing"
	Waiting Stage = "waiting"
	Done    Stage = "done"
	Already Stage = "already" // another administrator, or an earlier run, had done it
)

// ApplyOptions say how a plan is applied.
type ApplyOptions struct {
	Backup string // directory for replaced documents; made with mode 0700 when there is one
	// Wait bounds how long a policy that names a role of this run is tried again;
	// 0: two minutes. Every is the first pause; 0: two seconds.
	Wait, Every time.Duration
	Notify      func(c *setup.Change, s Stage) // may be nil; called in order
}

// Outcome is what an apply did.
type Outcome struct {
	Done   []setup.Change `json:"done"`
	Failed *setup.Change  `json:"failed,omitempty"`
	Left   []setup.Change `json:"left,omitempty"`
	Backup string         `json:"backup,omitempty"` // directory; empty when nothing was replaced
}

// Apply makes the pending changes of a plan, in order, and stops at the first that
// fails. It never leaves a document half written: AWS takes each as a whole.
func (a *Accounts) Apply(ctx context.Context, plan *setup.Plan, o ApplyOptions) (Outcome, error) {
	if o.Wait == 0 {
		o.Wait = 2 * time.Minute
	}
	if o.Every == 0 {
		o.Every = 2 * time.Second
	}
	if o.Notify == nil {
		o.Notify = func(*setup.Change, Stage) {}
	}
	run := &applying{Accounts: a, options: o, backup: backup{dir: o.Backup}, fresh: map[string]bool{}, made: plan.NewRoles}
	out := Outcome{Done: []setup.Change{}} // a list in JSON, also when it is empty
	for i := range plan.Changes {
		c := &plan.Changes[i]
		if !c.Pending() {
			continue
		}
		if err := run.change(ctx, c); err != nil {
			out.Failed, out.Left, out.Backup = c, pending(plan.Changes[i+1:]), run.backup.used()
			return out, fmt.Errorf("%s of %s: %w", c.Kind, c.ARN, err)
		}
		out.Done = append(out.Done, *c)
	}
	out.Backup = run.backup.used()
	return out, nil
}

func pending(list []setup.Change) []setup.Change {
	var out []setup.Change
	for _, c := range list {
		if c.Pending() {
			out = append(out, c)
		}
	}
	return out
}

type applying struct {
	*Accounts
	options ApplyOptions
	backup  backup
	made    bool // a role was made in this run, or shortly before it
	// fresh are the buckets of this run: their settings are S3's own defaults.
	fresh map[string]bool
}

func (r *applying) change(ctx context.Context, c *setup.Change) error {
	is, err := r.current(ctx, c)
	switch {
	case err != nil:
		return fmt.Errorf("reading it again before writing: %w", err)
	case c.Same(is, c.After) && c.Kind != setup.KindRole:
		r.options.Notify(c, Already)
		return nil
	case !c.Same(is, c.Before) && (c.Before != "" || !r.fresh[c.ARN]):
		return ErrChanged
	}
	if err := r.backup.keep(c); err != nil {
		return err
	}
	r.options.Notify(c, Writing)
	if err := r.write(ctx, c); err != nil {
		// After a lost answer the change may or may not have been made.
		again, rerr := r.current(ctx, c)
		if rerr != nil || !c.Same(again, c.After) || c.Same(again, c.Before) {
			return err
		}
	}
	r.made = r.made || (c.Kind == setup.KindTrust && c.Op == setup.OpCreate)
	if c.Kind == setup.KindBucketMade {
		r.fresh[c.ARN] = true
	}
	r.options.Notify(c, Done)
	return nil
}

func (r *applying) current(ctx context.Context, c *setup.Change) (string, error) {
	snap, err := r.Read(ctx, c.Scope())
	if err != nil {
		return "", err
	}
	text, ok := c.Current(snap)
	if !ok {
		return "", errors.New("it could not be read")
	}
	return text, nil
}

// write tries again while AWS does not know, where the policy is kept, a role
// that was made a moment ago.
func (r *applying) write(ctx context.Context, c *setup.Change) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = r.options.Every, 15*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := r.put(ctx, c)
		switch {
		case err == nil:
			return struct{}{}, nil
		case r.made && unknownYet(err):
			r.options.Notify(c, Waiting)
			return struct{}{}, err
		}
		return struct{}{}, backoff.Permanent(err)
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(r.options.Wait))
	return err
}

// unknownYet reports whether IAM, KMS or S3 refused because a role does not exist
// yet, or because a policy names such a role.
func unknownYet(err error) bool {
	switch codeOf(err) {
	case noSuchEntity, "MalformedPolicy", "MalformedPolicyDocument", "MalformedPolicyDocumentException":
		return true
	}
	return false
}
