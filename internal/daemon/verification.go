package daemon

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/brokerd/brokerd/internal/verify"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// verifications translates checks for the API.
type verifications struct{ now *currentVerifier }

// Verify implements rpc.Verifier.
func (v verifications) Verify(ctx context.Context, destination string, emit func(*brokerdv1.VerifyAccessResponse) error) error {
	return v.now.Load().Verify(ctx, destination, func(c verify.Check) error {
		return emit(&brokerdv1.VerifyAccessResponse{
			Destination: destination, Code: c.Code, Category: c.Category, Title: c.Title, Result: resultOf(c.Result),
			Detail: c.Detail, Account: c.Account, Artefact: c.Artefact, ArtefactArn: c.ArtefactARN,
			Fix: c.Fix, FixStatement: c.FixStatement, AwsCode: c.AWSCode, AwsMessage: c.AWSMessage,
			RequestId: c.RequestID, Elapsed: durationpb.New(c.Elapsed),
		})
	})
}

// resultOf never turns what it does not know into a pass.
func resultOf(r verify.Result) brokerdv1.CheckResult {
	switch r {
	case verify.Pass:
		return brokerdv1.CheckResult_CHECK_RESULT_PASS
	case verify.Warn:
		return brokerdv1.CheckResult_CHECK_RESULT_WARN
	case verify.Fail:
		return brokerdv1.CheckResult_CHECK_RESULT_FAIL
	case verify.Skip:
		return brokerdv1.CheckResult_CHECK_RESULT_SKIP
	default:
		return brokerdv1.CheckResult_CHECK_RESULT_UNKNOWN
	}
}
