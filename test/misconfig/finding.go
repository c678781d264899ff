package misconfig

import (
	"context"

	"github.com/brokerd/brokerd/internal/testbed"
)

// Finding is the finding of verify that a mistake must give.
type Finding struct {
	// Code, Side, Kind and Statement are of the finding when the policies of both
	// accounts can be read; Blind and BlindKind are of the one when they cannot.
	// Where they are empty, they are the same. Blind "-" means that it does not show.
	Code, Blind     string
	Side, BlindSide string // "A", "B" or "" if no account is at fault, or the account cannot be known
	Kind, BlindKind string
	// Statement is the Sid of the statement that denies; "" where none is at fault.
	Statement string
	// Result is "fail" where it is empty.
	Result string
	// Stage makes brokerd's own delivery meet the mistake; nil: Make does.
	Stage func(ctx context.Context, w *testbed.World) error
	// Repair says how the printed fix is applied.
	Repair Repair
}

// Repair is a way to apply a fix.
type Repair int

// The ways.
const (
	Printed     Repair = iota // the statement, as it is printed, with and without documents
	ByStatement               // the statement; without documents verify cannot know which side's
	ByHand                    // no statement repairs it: the setting or the host does
)

// Impossible are the failure modes of which there is no row, or no finding, with the reason.
func Impossible() map[int]string {
	return map[int]string{
		6:  "STS answers with the role that was assumed: tested with a destination that names another (verify: TestASessionOfAnotherRoleIsFatal)",
		25: "the sandbox is consistent at once; `verify --wait` is for it",
		28: "AWS refuses to store the policy, so that verify never meets it; setup keeps the order",
		39: "a wrong owner does not get past the configuration check; " +
			"tested with a compatible store (verify: TestABucketOfAnotherAccountIsASecurityAlert)",
	}
}
