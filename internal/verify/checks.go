package verify

import (
	"context"
	"slices"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// check is one row of the table: a positive assertion and its proof.
type check struct {
	code, category, title string
	// needs are the checks without which this one cannot succeed, or would mislead.
	needs []string
	ask   func(context.Context, *run) []finding
}

// one adapts a check with one finding.
func one(ask func(context.Context, *run) finding) func(context.Context, *run) []finding {
	return func(ctx context.Context, r *run) []finding { return []finding{ask(ctx, r)} }
}

// checks lists the checks in order. Cheap checks that later ones depend on come first.
// The prediction from the documents is made before the first call and reported after
// the calls, together with AWS's answer.
func checks(o report.RunOptions) []check {
	all := slices.Concat(configChecks(), hostChecks(), bucketChecks(), identityChecks(), deliveryChecks(), encryptionChecks(), policyChecks())
	if !o.Cheap {
		all = slices.Concat(all, privilegeChecks(), auditChecks())
	}
	return slices.DeleteFunc(all, func(c check) bool {
		return c.code == codeCanary && !o.Canary || c.code == codeDirect && o.Cheap
	})
}
