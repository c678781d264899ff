package rpc

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/health"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// Verifier proves the path of the request's destination. It emits one message per
// check, and a summary when the request asks for it. It returns the verdict for health.
type Verifier interface {
	Verify(ctx context.Context, req *brokerdv1.VerifyAccessRequest, emit func(*brokerdv1.VerifyAccessResponse) error) (health.Verdict, error)
}

// maxPolicies bounds the documents of one verification, in bytes.
const maxPolicies = 512 << 10

const (
	// maxVerifications bounds the verifications that run at callers' requests.
	maxVerifications = 8
	// verifyEvery and verifyBurst bound those of one user. Each makes up to 20 calls to AWS.
	verifyEvery = 2 * time.Second
	verifyBurst = 20
)

// verification charges a verification to its caller, or returns an error.
func (s *Server) verification(p access.Peer) (*quota.Charge, error) {
	party := s.policy.Party(p)
	if wait, ok := s.verifies.Take(party); !ok {
		return nil, reason.New(reason.TooManyRequests,
			"%s asks for more verifications than %d at once and one each %s; try again in %s",
			party, verifyBurst, verifyEvery, wait.Round(time.Millisecond)).After(wait)
	}
	charge, err := s.quota.Take(party, quota.Verifications)
	if err != nil {
		return nil, reason.New(reason.TooManyRequests, "%s; try again when one has ended", err).After(retryAfter)
	}
	return charge, nil
}

// VerifyAccess implements the API.
func (b *brokerService) VerifyAccess(
	req *brokerdv1.VerifyAccessRequest,
	stream grpc.ServerStreamingServer[brokerdv1.VerifyAccessResponse],
) error {
	p, err := caller(stream.Context())
	if err != nil {
		return err
	}
	if err := b.s.policy.Allow(p, config.PermVerify, req.GetDestination()); err != nil {
		return err
	}
	if req.GetCanary() { // it uploads an object that stays
		if err := b.s.policy.Allow(p, config.PermUpload, req.GetDestination()); err != nil {
			return err
		}
	}
	running, err := b.s.verification(p)
	if err != nil {
		return err
	}
	defer running.Release()
	size := 0
	for _, d := range req.GetPolicies() {
		if size += len(d.GetText()); size > maxPolicies {
			return reason.New(
				reason.PoliciesTooLarge,
				"the policies are larger than %d bytes together; leave out those of other destinations",
				maxPolicies,
			)
		}
	}
	verdict, err := b.s.o.Verify.Verify(stream.Context(), req, stream.Send)
	if err != nil {
		return classify(err)
	}
	b.s.o.Stats.Verified(req.GetDestination(), verdict)
	b.s.UpdateHealth()
	return nil
}
