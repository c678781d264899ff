package daemon

import (
	"context"

	"github.com/brokerd/brokerd/internal/verify"
	"github.com/brokerd/brokerd/internal/verify/verifypb"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// verifications translates checks for the API.
type verifications struct{ now *currentVerifier }

// Verify implements rpc.Verifier.
func (v verifications) Verify(ctx context.Context, req *brokerdv1.VerifyAccessRequest, emit func(*brokerdv1.VerifyAccessResponse) error) error {
	o, err := verifypb.FromRequest(req)
	if err != nil {
		return err
	}
	report, err := v.now.Load().Verify(ctx, req.GetDestination(), o, func(c verify.Check) error {
		return emit(verifypb.FromCheck(req.GetDestination(), c))
	})
	if err != nil || !req.GetSummary() {
		return err
	}
	return emit(verifypb.FromReport(report))
}
