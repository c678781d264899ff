package verify

import (
	"context"
	"slices"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// check is one row of the table: a positive assertion and what proves it.
type check struct {
	code, category, title string
	// needs are the checks without which this one could not succeed, or would mislead.
	needs []string
	ask   func(context.Context, *run) []finding
}

// one is a check with one finding.
func one(ask func(context.Context, *run) finding) func(context.Context, *run) []finding {
	return func(ctx context.Context, r *run) []finding { return []finding{ask(ctx, r)} }
}

// checks run in this order: what is cheap and would mislead everything after it
// comes first. What the documents say is decided before any call, explains the
// calls that fail, and is told after them, when it is known whether AWS agrees.
func checks(o report.RunOptions) []check {
	all := slices.Concat(configChecks(), hostChecks(), bucketChecks(), identityChecks(), deliveryChecks(), encryptionChecks(), policyChecks())
	if !o.Cheap {
		all = slices.Concat(all, privilegeChecks(), auditChecks())
	}
	return slices.DeleteFunc(all, func(c check) bool {
		return c.code == codeCanary && !o.Canary || c.code == codeDirect && o.Cheap
	})
}
