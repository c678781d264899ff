package verify

import (
	"context"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// The checks of requests that an upload's role must not be able to make.
const (
	codeNoExternalID = "BRK-LP-001"
	codeOtherID      = "BRK-LP-002"
	codeOutside      = "BRK-LP-003"
	codeOtherSSE     = "BRK-LP-004"
	codeNoSSE        = "BRK-LP-005"
	codeOtherKey     = "BRK-LP-006"
	codePublicACL    = "BRK-LP-007"
	codeList         = "BRK-LP-008"
	codeRead         = "BRK-LP-009"
	codeReadPolicy   = "BRK-LP-010"
	codeEncryptKey   = "BRK-LP-011"
	codeDescribeKey  = "BRK-LP-012"
	codeDelete       = "BRK-LP-013"
)

// negative is a request that AWS must refuse.
type negative struct {
	code, title string
	needs       []string
	// calls is the largest number of calls, the abort included.
	calls int
	ask   func(context.Context, *run) finding
}

func negatives() []negative {
	return []negative{
		{codeNoExternalID, "the role cannot be assumed without its external id", []string{codeAssume}, 1, askWithoutExternalID},
		{codeOtherID, "the role cannot be assumed with another external id", []string{codeAssume}, 1, askWithOtherID},
		{codeOutside, "the role cannot write outside the prefix", []string{codeIdentity, codeBucket}, 2, askOutside},
		{codeOtherSSE, "the bucket takes no object that another key encrypts", []string{codeIdentity, codeBucket}, 2, askOtherSSE},
		{
			codeNoSSE,
			"an object without encryption headers gets the key all the same, or is refused",
			[]string{codeIdentity, codeBucket},
			2,
			askNoSSE,
		},
		{codeOtherKey, "the bucket wants the key's own name", []string{codeIdentity, codeBucket}, 2, askOtherKey},
		{codePublicACL, "the role cannot make an object public", []string{codeIdentity, codeBucket}, 2, askPublicACL},
		{codeList, "the role cannot list the bucket", []string{codeIdentity, codeBucket}, 1, askList},
		{codeRead, "the role cannot read objects", []string{codeIdentity, codeBucket}, 1, askRead},
		{codeReadPolicy, "the role cannot read the bucket policy", []string{codeIdentity, codeBucket}, 1, askReadPolicy},
		{codeEncryptKey, "the role cannot encrypt with the key itself", []string{codeKeyName, codeIdentity}, 1, askEncrypt},
		{codeDescribeKey, "the role cannot describe the key", []string{codeKeyName, codeIdentity}, 1, askDescribe},
	}
}

func privilegeChecks() []check {
	var out []check
	for _, n := range negatives() {
		out = append(
			out,
			check{
				n.code,
				report.CategoryPrivilege,
				n.title,
				n.needs,
				func(ctx context.Context, r *run) []finding { return []finding{r.negative(ctx, n)} },
			},
		)
	}
	return append(out, check{codeDelete, report.CategoryPrivilege, "the role cannot delete objects", nil, one(checkDelete)})
}

// checkDelete evaluates the policies and makes no call: a delete that is allowed would
// leave a delete marker in a versioned bucket.
func checkDelete(_ context.Context, r *run) finding {
	if r.dest.Compatible || r.dest.Role == "" {
		return r.notRead(report.DocumentIdentity, "", report.ArtefactIdentity, "", "an S3-compatible store has no such document")
	}
	put := r.predicted.put("s3:DeleteObject", nil)
	put.KeyARN, put.Policies.Session = "", nil // the rights of the role, without brokerd's session policy
	list, err := put.Scenarios()
	if err != nil {
		return r.notRead(report.DocumentIdentity, r.accountA(), report.ArtefactIdentity, r.dest.Role, err.Error())
	}
	switch result := iampolicy.Evaluate(list[0]); result.Decision {
	case iampolicy.ImplicitDeny, iampolicy.ExplicitDeny:
		return finding{
			Result:   report.Pass,
			Detail:   "by the policies; verify never tries it",
			Evidence: []report.Evidence{{Source: report.SourceStatic, Operation: "s3:DeleteObject", Text: string(result.Decision)}},
		}
	case iampolicy.Unknown:
		// Both accounts must allow it: one that does not is enough.
		kind := report.DocumentIdentity
		if r.docs.read(report.DocumentIdentity) {
			kind = report.DocumentBucketPolicy
		}
		if r.docs.read(kind) {
			return r.predicted.tooMuch(list[0], result)
		}
		state, why := r.docs.state(kind)
		return r.notRead(kind, r.accountOfKind(kind).ID, kind, r.target(kind), orText(why, string(state)))
	default:
		return r.predicted.tooMuch(list[0], result)
	}
}
