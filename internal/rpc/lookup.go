package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/vend"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// GetUpload implements the API.
func (b *brokerService) GetUpload(ctx context.Context, req *brokerdv1.GetUploadRequest) (*brokerdv1.GetUploadResponse, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := ulid.ParseStrict(req.GetUploadId()); err != nil {
		return nil, refuse(codes.InvalidArgument, "INVALID_HEADER", "upload_id: want a ULID of 26 characters")
	}
	rec, ok := b.s.o.Ledger.uploads.Get(req.GetUploadId())
	if !ok || rec.uid != p.UID && !b.s.rules().Decide(p, config.PermAdmin, "").Allowed {
		// A foreign id and an unknown one look the same: ids are no secret, but whose they are is.
		return nil, refuse(codes.NotFound, "UPLOAD_NOT_FOUND", "no upload %s of this user is remembered; the daemon remembers the last %d, until it stops", req.GetUploadId(), remembered)
	}
	out := &brokerdv1.GetUploadResponse{
		UploadId: rec.id, Destination: rec.destination, Name: rec.name,
		State: brokerdv1.UploadState_UPLOAD_STATE_IN_PROGRESS, StartTime: timestamppb.New(rec.started),
	}
	switch {
	case rec.failure != nil:
		out.State = brokerdv1.UploadState_UPLOAD_STATE_FAILED
		out.FailureReason, out.FailureMessage = rec.failure.reason, rec.failure.msg
	case rec.ended:
		out.State, out.Object = brokerdv1.UploadState_UPLOAD_STATE_STORED, objectOf(rec.stored)
	}
	return out, nil
}

// VerifyAccess implements the API.
func (b *brokerService) VerifyAccess(req *brokerdv1.VerifyAccessRequest, stream grpc.ServerStreamingServer[brokerdv1.VerifyAccessResponse]) error {
	p, err := caller(stream.Context())
	if err != nil {
		return err
	}
	if err := b.s.allow(p, config.PermVerify, req.GetDestination()); err != nil {
		return err
	}
	broken, undecided := "", false
	err = b.s.o.Verify.Verify(stream.Context(), req.GetDestination(), func(c *brokerdv1.VerifyAccessResponse) error {
		switch c.GetResult() {
		case brokerdv1.CheckResult_CHECK_RESULT_FAIL:
			if broken == "" {
				broken = c.GetCode() + ": " + c.GetDetail()
			}
		case brokerdv1.CheckResult_CHECK_RESULT_UNKNOWN, brokerdv1.CheckResult_CHECK_RESULT_SKIP:
			undecided = true
		}
		return stream.Send(c)
	})
	if err != nil {
		return faultOf(err)
	}
	if broken != "" || !undecided {
		b.s.o.Ledger.verified(req.GetDestination(), broken)
		b.s.UpdateHealth()
	}
	return nil
}

// GetCredentials implements the API. The desk decides, and keeps the record.
func (b *brokerService) GetCredentials(ctx context.Context, req *brokerdv1.GetCredentialsRequest) (*brokerdv1.GetCredentialsResponse, error) {
	p, err := caller(ctx)
	if err != nil {
		return nil, err
	}
	if _, ok := b.s.config().Destinations[req.GetDestination()]; !ok {
		return nil, b.s.unknown(p, req.GetDestination())
	}
	sess, err := b.s.o.Desk.Hand(ctx, vend.Caller{Peer: p, Via: "grpc"}, req.GetDestination())
	if err != nil {
		var r *vend.Refusal
		if errors.As(err, &r) && r.Rule != "" {
			return nil, b.s.refused(r.Code, r.Message, r.Rule).with("destination", req.GetDestination())
		}
		return nil, faultOf(err)
	}
	return &brokerdv1.GetCredentialsResponse{
		AccessKeyId: sess.AccessKeyID, SecretAccessKey: sess.SecretAccessKey.Reveal(),
		SessionToken: sess.SessionToken.Reveal(), Expiration: stamp(sess.Expires),
	}, nil
}

// stamp leaves a time that is not there unset.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
