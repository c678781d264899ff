package client

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/brokerd/brokerd/internal/reason"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// askFor is how long one question may wait in the daemon.
const askFor = 30 * time.Second

// Wait waits until an upload is stored: it turns the answer Spooled into an
// end-to-end one. It asks on while the daemon restarts, until ctx ends. When
// the object will not be stored as things are, the error is an *Error with the
// reason; a Dead object is kept by the daemon, a Failed one does not exist.
func (c *Client) Wait(ctx context.Context, uploadID string) (*Result, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		got, err := c.Broker().GetUpload(ctx, &brokerdv1.GetUploadRequest{UploadId: uploadID, Wait: durationpb.New(askFor)})
		if err != nil {
			if err = c.FromError(err); !worthRetrying(err) {
				return nil, err
			}
		}
		switch got.GetState() {
		case brokerdv1.UploadState_UPLOAD_STATE_STORED:
			res := resultOf(&brokerdv1.UploadResponse{UploadId: uploadID, State: got.GetState(), Object: got.GetObject()})
			res.Destination = got.GetDestination()
			return res, nil
		case brokerdv1.UploadState_UPLOAD_STATE_FAILED, brokerdv1.UploadState_UPLOAD_STATE_DEAD:
			return nil, &Error{Code: codes.FailedPrecondition, Reason: got.GetFailureReason(), Message: got.GetFailureMessage(),
				MayBeStored: reason.Reason(got.GetFailureReason()).Ambiguous()}
		}
		// A daemon may answer before the time is over.
		if !sleep(ctx, pause) {
			return nil, ctx.Err()
		}
	}
}
