package rpc

import (
	"context"
	"time"

	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/reason"
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
	u, ok := b.own(p, req.GetUploadId())
	if ok && req.GetWait() != nil { // the time of an answer must not tell that a foreign id exists
		if err := b.s.intake.Await(ctx, req.GetUploadId(), req.GetWait().AsDuration()); err != nil {
			return nil, classify(err)
		}
		u, ok = b.own(p, req.GetUploadId())
	}
	if !ok {
		// The answer is the same for a foreign id as for an unknown one: an id is no
		// secret, but its owner is.
		return nil, reason.New(
			reason.UploadNotFound,
			"no upload %s of this user is remembered; the daemon remembers the last %d until it stops, and a spooled one for a day "+
				"after its delivery",
			req.GetUploadId(),
			intake.Remembered,
		)
	}
	return uploadStatus(u), nil
}

// own returns an upload of the peer; an administrator may ask for every upload.
func (b *brokerService) own(p access.Peer, id string) (intake.Upload, bool) {
	u, ok := b.s.intake.Find(id)
	if !ok || u.UID != p.UID && !b.s.policy.rules().Decide(p, config.PermAdmin, "").Allowed {
		return intake.Upload{}, false
	}
	return u, true
}

var uploadStates = map[intake.State]brokerdv1.UploadState{
	intake.InProgress: brokerdv1.UploadState_UPLOAD_STATE_IN_PROGRESS,
	intake.Stored:     brokerdv1.UploadState_UPLOAD_STATE_STORED,
	intake.Spooled:    brokerdv1.UploadState_UPLOAD_STATE_SPOOLED,
	intake.Failed:     brokerdv1.UploadState_UPLOAD_STATE_FAILED,
	intake.Dead:       brokerdv1.UploadState_UPLOAD_STATE_DEAD,
}

func uploadStatus(u intake.Upload) *brokerdv1.GetUploadResponse {
	out := &brokerdv1.GetUploadResponse{
		UploadId: u.ID, Destination: u.Destination, Name: u.Name, State: uploadStates[u.State], StartTime: stamp(u.Started),
		Tries: uint32(u.Tries), FailureReason: string(u.Reason), FailureMessage: u.Message, NextTryTime: stamp(u.NextTry),
	}
	if u.Stored != nil {
		out.Object = storedObject(u.Stored)
	}
	return out
}

// stamp leaves a zero time unset.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
