package rpc

import (
	"context"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
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
		return nil, reason.New(reason.InvalidHeader, "upload_id: want a ULID of 26 characters")
	}
	if err := b.waitFor(ctx, req); err != nil {
		return nil, err
	}
	out, uid, ok := b.s.look(req.GetUploadId())
	if !ok || uid != p.UID && !b.s.rules().Decide(p, config.PermAdmin, "").Allowed {
		// A foreign id and an unknown one look the same: ids are no secret, but whose they are is.
		return nil, reason.New(reason.UploadNotFound, "no upload %s of this user is remembered; the daemon remembers the last %d, until it stops, and what it spooled for a day after its delivery", req.GetUploadId(), remembered)
	}
	return out, nil
}

// waitFor waits until an upload has ended, as long as the request allows.
func (b *brokerService) waitFor(ctx context.Context, req *brokerdv1.GetUploadRequest) error {
	wait := req.GetWait().AsDuration()
	if req.GetWait() == nil || wait <= 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	unhook := context.AfterFunc(b.s.watching, cancel)
	defer unhook()
	if c := b.s.o.Ledger.ended(req.GetUploadId()); c != nil {
		select {
		case <-c:
		case <-limited.Done():
		}
	}
	if b.s.o.Spool != nil {
		// It may have been handed over to the spool meanwhile. Whose it is, and
		// whether it is known at all, is looked at afterwards.
		if _, ok := b.s.o.Spool.Status(req.GetUploadId()); ok {
			_, _ = b.s.o.Spool.Wait(limited, req.GetUploadId())
		}
	}
	return ctx.Err()
}

// look describes an upload, and says whose it is.
func (s *Server) look(id string) (out *brokerdv1.GetUploadResponse, uid uint32, ok bool) {
	if rec, ok := s.o.Ledger.uploads.Get(id); ok {
		out := &brokerdv1.GetUploadResponse{
			UploadId: rec.id, Destination: rec.destination, Name: rec.name,
			State: brokerdv1.UploadState_UPLOAD_STATE_IN_PROGRESS, StartTime: timestamppb.New(rec.started),
		}
		switch {
		case rec.failure != nil:
			out.State = brokerdv1.UploadState_UPLOAD_STATE_FAILED
			out.FailureReason, out.FailureMessage = string(rec.failure.Reason), rec.failure.Message
		case rec.ended:
			out.State, out.Object = brokerdv1.UploadState_UPLOAD_STATE_STORED, objectOf(rec.stored)
		}
		return out, rec.uid, true
	}
	if s.o.Spool == nil {
		return nil, 0, false
	}
	st, ok := s.o.Spool.Status(id)
	if !ok {
		return nil, 0, false
	}
	out = &brokerdv1.GetUploadResponse{
		UploadId: st.ID, Destination: st.Destination, Name: st.Name, State: brokerdv1.UploadState_UPLOAD_STATE_SPOOLED,
		StartTime: stamp(st.Received), Tries: uint32(st.Attempts), FailureReason: string(st.LastReason), FailureMessage: st.LastError, NextTryTime: stamp(st.NextTry),
	}
	switch st.State {
	case spool.Delivered:
		out.State, out.FailureReason, out.FailureMessage, out.NextTryTime = brokerdv1.UploadState_UPLOAD_STATE_STORED, "", "", nil
		if stored, err := Receipt(st); err == nil {
			out.Object = objectOf(stored)
		}
	case spool.Dead:
		out.State = brokerdv1.UploadState_UPLOAD_STATE_DEAD
	}
	return out, st.UID, true
}

// maxPolicies bounds the documents that one verification takes in, in bytes.
const maxPolicies = 512 << 10

// VerifyAccess implements the API.
func (b *brokerService) VerifyAccess(req *brokerdv1.VerifyAccessRequest, stream grpc.ServerStreamingServer[brokerdv1.VerifyAccessResponse]) error {
	p, err := caller(stream.Context())
	if err != nil {
		return err
	}
	if err := b.s.allow(p, config.PermVerify, req.GetDestination()); err != nil {
		return err
	}
	if req.GetCanary() { // it is an upload, and stays
		if err := b.s.allow(p, config.PermUpload, req.GetDestination()); err != nil {
			return err
		}
	}
	size := 0
	for _, d := range req.GetPolicies() {
		if size += len(d.GetText()); size > maxPolicies {
			return reason.New(reason.PoliciesTooLarge, "the policies are larger than %d bytes together; leave out those of other destinations", maxPolicies)
		}
	}
	var proof Proof
	err = b.s.o.Verify.Verify(stream.Context(), req, func(c *brokerdv1.VerifyAccessResponse) error {
		proof.Add(c)
		return stream.Send(c)
	})
	if err != nil {
		return classify(err)
	}
	b.s.o.Ledger.Verified(req.GetDestination(), proof)
	b.s.UpdateHealth()
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
			return nil, b.s.refused(r.Reason, r.Message, r.Rule).With("destination", req.GetDestination())
		}
		return nil, classify(err)
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
