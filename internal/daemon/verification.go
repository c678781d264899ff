package daemon

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/health"
	"github.com/brokerd/brokerd/internal/uploader"
	"github.com/brokerd/brokerd/internal/verify"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/internal/verify/verifypb"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// verifier is the verifier of the current configuration. A verification ends with
// the configuration that it began with.
type verifier struct {
	current atomic.Pointer[verify.Verifier]
	options verify.Options // Config is that of the start
}

func newVerifier(o verify.Options) (*verifier, error) {
	v := &verifier{options: o}
	first, err := v.Prepare(o.Config)
	if err != nil {
		return nil, err
	}
	first.Commit()
	return v, nil
}

// Prepare implements reloadable.
func (v *verifier) Prepare(c *config.Config) (config.Change, error) {
	o := v.options
	o.Config = c
	next, err := verify.New(o)
	if err != nil {
		return nil, fmt.Errorf("making the verifier: %w", err)
	}
	return commit(func() { v.current.Store(next) }), nil
}

// probeUploads lets a verification record its uploads next to those of streams.
type probeUploads struct{ *uploader.OrphanLog }

// Remember implements verify.Leftovers.
func (p probeUploads) Remember(destination, bucket, key, uploadID string) verify.Leftover {
	return p.OrphanLog.Remember(destination, bucket, key, uploadID)
}

// Verify implements rpc.Verifier: it translates checks for the API.
func (v *verifier) Verify(
	ctx context.Context,
	req *brokerdv1.VerifyAccessRequest,
	emit func(*brokerdv1.VerifyAccessResponse) error,
) (health.Verdict, error) {
	var verdict health.Verdict
	o, err := verifypb.FromRequest(req)
	if err != nil {
		return verdict, err
	}
	report, err := v.current.Load().Verify(ctx, req.GetDestination(), o, func(c report.Check) error {
		verdict.Add(c)
		return emit(verifypb.FromCheck(req.GetDestination(), c))
	})
	if err != nil || !req.GetSummary() {
		return verdict, err
	}
	return verdict, emit(verifypb.FromReport(report))
}
