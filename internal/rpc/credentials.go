package rpc

import (
	"context"
	"errors"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/vend"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// Credentials issues credentials; vend.Service does.
type Credentials interface {
	Issue(ctx context.Context, c vend.Caller, destination string) (*broker.Session, error)
}

// GetCredentials implements the API. Package vend decides, and keeps the record.
func (b *brokerService) GetCredentials(
	ctx context.Context,
	req *brokerdv1.GetCredentialsRequest,
) (*brokerdv1.GetCredentialsResponse, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if _, ok := b.s.policy.Config().Destinations[req.GetDestination()]; !ok && b.s.policy.rules().Known(p) {
		return nil, b.s.policy.unknown(p, req.GetDestination())
	}
	sess, err := b.s.o.Credentials.Issue(ctx, vend.Caller{Peer: p, Via: "grpc"}, req.GetDestination())
	if err != nil {
		var r *vend.Refusal
		if errors.As(err, &r) && r.Rule != "" {
			return nil, b.s.policy.refused(r.Reason, r.Message, r.Rule).With("destination", req.GetDestination())
		}
		return nil, classify(err)
	}
	return &brokerdv1.GetCredentialsResponse{
		AccessKeyId: sess.AccessKeyID, SecretAccessKey: sess.SecretAccessKey.Reveal(),
		SessionToken: sess.SessionToken.Reveal(), Expiration: stamp(sess.Expires),
	}, nil
}
