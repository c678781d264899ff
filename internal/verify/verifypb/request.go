package verifypb

import (
	"errors"

	"github.com/brokerd/brokerd/internal/verify/report"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// ErrTooLarge is returned for policies larger than report.MaxPolicyBytes together.
var ErrTooLarge = errors.New("the policies are larger than 512 KiB together")

// ToRequest returns the request of a run. It asks for a summary at the end.
func ToRequest(destination string, o report.RunOptions) *brokerdv1.VerifyAccessRequest {
	out := &brokerdv1.VerifyAccessRequest{Destination: destination, Canary: o.Canary, Summary: true}
	for _, d := range o.Policies.Documents {
		out.Policies = append(out.Policies, &brokerdv1.PolicyDocument{
			Kind: d.Kind, State: states[d.State], Arn: d.ARN, Name: d.Name, Level: d.Level, Text: d.Text, Reason: d.Reason,
		})
	}
	return out
}

// FromRequest returns the options of a request.
func FromRequest(r *brokerdv1.VerifyAccessRequest) (report.RunOptions, error) {
	out := report.RunOptions{Canary: r.GetCanary()}
	size := 0
	for _, d := range r.GetPolicies() {
		if size += len(d.GetText()); size > report.MaxPolicyBytes {
			return report.RunOptions{}, ErrTooLarge
		}
		out.Policies.Documents = append(out.Policies.Documents, report.PolicyDocument{
			Kind: d.GetKind(), State: toState(d.GetState()), ARN: d.GetArn(), Name: d.GetName(), Level: d.GetLevel(), Text: d.GetText(),
			Reason: d.GetReason(),
		})
	}
	return out, nil
}

var states = map[report.DocumentState]brokerdv1.DocumentState{
	report.Known:      brokerdv1.DocumentState_DOCUMENT_STATE_KNOWN,
	report.Absent:     brokerdv1.DocumentState_DOCUMENT_STATE_ABSENT,
	report.Unreadable: brokerdv1.DocumentState_DOCUMENT_STATE_UNREADABLE,
}

// toState maps an unknown state to Unreadable.
func toState(s brokerdv1.DocumentState) report.DocumentState {
	for out, in := range states {
		if in == s {
			return out
		}
	}
	return report.Unreadable
}
