package rpc

import (
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/internal/intake"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// drainTick is how often Drain reports its progress.
const drainTick = time.Second

// Drain implements the API.
func (a *adminService) Drain(req *brokerdv1.DrainRequest, stream grpc.ServerStreamingServer[brokerdv1.DrainResponse]) error {
	if err := a.acts(stream.Context(), "Drain", zap.Bool("resume", req.GetResume())); err != nil {
		return err
	}
	s := a.s
	if req.GetResume() {
		s.intake.Resume()
		s.UpdateHealth()
		s.o.Logger.Info("uploads are accepted again: the drain was ended")
		out := drainResponse(s.intake.Remaining())
		out.Done = true
		return stream.Send(out)
	}
	var over <-chan time.Time
	if req.GetTimeout() != nil {
		timer := time.NewTimer(req.GetTimeout().AsDuration())
		defer timer.Stop()
		over = timer.C
	}
	s.intake.Drain()
	s.UpdateHealth()
	s.o.Logger.Info("draining: the daemon takes no new uploads")
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	// The first checks are close together: there may be nothing to wait for.
	wait := time.After(20 * time.Millisecond)
	for {
		left := s.intake.Remaining()
		out := drainResponse(left)
		if out.Done = left.Done(); out.Done {
			s.o.Logger.Info("drained", zap.Int("parked", left.Parked), zap.Int("dead", left.Dead))
			return stream.Send(out)
		}
		select {
		case <-wait:
			wait = nil
			continue
		case <-tick.C:
		case <-over:
			out.Done = true
		case <-stream.Context().Done():
			return classify(stream.Context().Err())
		case <-s.intake.Waiting().Done():
			out.Done = true
		}
		if err := stream.Send(out); err != nil || out.Done {
			return err
		}
	}
}

func drainResponse(r intake.Remaining) *brokerdv1.DrainResponse {
	return &brokerdv1.DrainResponse{
		OpenUploads: uint32(r.OpenUploads), QueuedObjects: uint64(r.Queued), QueuedBytes: uint64(r.QueuedBytes),
		ParkedObjects: uint64(r.Parked), DeadObjects: uint64(r.Dead), Problems: problemsOf(r.Problems),
	}
}
