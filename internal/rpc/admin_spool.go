package rpc

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// usage is what the spool holds, by destination.
func (a *adminService) usage() map[string]*brokerdv1.SpoolUsage {
	out := make(map[string]*brokerdv1.SpoolUsage)
	if a.s.o.Spool == nil {
		return out
	}
	for _, u := range a.s.o.Spool.Usage() {
		out[u.Destination] = &brokerdv1.SpoolUsage{
			QueuedObjects: uint64(u.Queued + u.Parked + u.Delivering), QueuedBytes: uint64(u.QueuedBytes + u.ParkedBytes + u.DeliveringBytes),
			DeadObjects: uint64(u.Dead), DeadBytes: uint64(u.DeadBytes), OldestTime: stamp(u.Oldest),
			InFlight: uint32(u.InFlight), InFlightLimit: uint32(u.Window),
			ParkedReason: string(u.ParkedReason), ParkedMessage: u.ParkedError, ParkedTime: stamp(u.ParkedSince),
		}
	}
	return out
}

// spool lets administrators in, where there is a spool.
func (a *adminService) spool(ctx context.Context) (Spool, error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	if a.s.o.Spool == nil {
		return nil, reason.New(reason.NoSpool, "no destination had durability spool or spool-wait when the daemon started: there is no spool")
	}
	return a.s.o.Spool, nil
}

var spoolStates = map[spool.State]brokerdv1.SpoolState{
	spool.Queued:     brokerdv1.SpoolState_SPOOL_STATE_QUEUED,
	spool.Delivering: brokerdv1.SpoolState_SPOOL_STATE_DELIVERING,
	spool.Parked:     brokerdv1.SpoolState_SPOOL_STATE_PARKED,
	spool.Dead:       brokerdv1.SpoolState_SPOOL_STATE_DEAD,
}

// ListSpool implements the API.
func (a *adminService) ListSpool(req *brokerdv1.ListSpoolRequest, stream grpc.ServerStreamingServer[brokerdv1.ListSpoolResponse]) error {
	sp, err := a.spool(stream.Context())
	if err != nil {
		return err
	}
	if id := req.GetUploadId(); id != "" {
		st, ok := sp.Status(id)
		if !ok || st.State == spool.Delivered {
			return reason.New(reason.UploadNotFound, "there is no upload %s in the spool", id)
		}
		return stream.Send(spooledOf(st))
	}
	f := spool.Filter{Destination: req.GetDestination()}
	for _, want := range req.GetStates() {
		for s, p := range spoolStates {
			if p == want {
				f.States = append(f.States, s)
			}
		}
	}
	n := uint32(0)
	for st := range sp.List(f) {
		if err := stream.Send(spooledOf(st)); err != nil {
			return err
		}
		if n++; n == req.GetLimit() {
			return nil
		}
	}
	return nil
}

func spooledOf(st spool.Status) *brokerdv1.ListSpoolResponse {
	return &brokerdv1.ListSpoolResponse{
		UploadId: st.ID, Destination: st.Destination, Name: st.Name, Key: st.Key, Uid: st.UID, Size: uint64(st.Size),
		ChecksumCrc32C: base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, st.CRC32C)),
		State:          spoolStates[st.State], ReceivedTime: stamp(st.Received), Tries: uint32(st.Attempts),
		FailureReason: string(st.LastReason), FailureMessage: st.LastError, NextTryTime: stamp(st.NextTry),
	}
}

// RetrySpool implements the API.
func (a *adminService) RetrySpool(ctx context.Context, req *brokerdv1.RetrySpoolRequest) (*brokerdv1.RetrySpoolResponse, error) {
	sp, err := a.spool(ctx)
	if err != nil {
		return nil, err
	}
	ids, destination := req.GetUploadIds(), req.GetDestination()
	if (len(ids) == 0) == (destination == "") {
		return nil, reason.New(reason.InvalidHeader, "name either uploads or a destination")
	}
	n := 0
	switch destination {
	case "*":
		for _, u := range sp.Usage() {
			m, rerr := sp.Retry(u.Destination)
			n, err = n+m, errors.Join(err, rerr)
		}
	default:
		n, err = sp.Retry(destination, ids...)
	}
	a.s.o.Logger.Info("an operator asked for another try", zap.String("destination", destination), zap.Strings("upload_ids", ids), zap.Int("retried", n), zap.Error(err))
	if err != nil {
		return nil, classify(err)
	}
	return &brokerdv1.RetrySpoolResponse{Retried: uint32(n)}, nil
}

// ExportSpool implements the API.
func (a *adminService) ExportSpool(req *brokerdv1.ExportSpoolRequest, stream grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse]) error {
	sp, err := a.spool(stream.Context())
	if err != nil {
		return err
	}
	if _, err := sp.Export(stream.Context(), req.GetUploadId(), exporter{stream}); err != nil {
		return classify(err)
	}
	a.s.o.Logger.Info("an object of the spool was exported", zap.String("upload_id", req.GetUploadId()))
	return nil
}

type exporter struct {
	stream grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse]
}

// Write implements io.Writer.
func (e exporter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		piece := p[:min(len(p), MaxChunk)]
		if err := e.stream.Send(&brokerdv1.ExportSpoolResponse{Chunk: piece}); err != nil {
			return n, err
		}
		p, n = p[len(piece):], n+len(piece)
	}
	return n, nil
}

// DropSpool implements the API. It ends at the first object that cannot be dropped.
func (a *adminService) DropSpool(ctx context.Context, req *brokerdv1.DropSpoolRequest) (*brokerdv1.DropSpoolResponse, error) {
	sp, err := a.spool(ctx)
	if err != nil {
		return nil, err
	}
	out := &brokerdv1.DropSpoolResponse{}
	for _, id := range req.GetUploadIds() {
		st, _ := sp.Status(id)
		if err := sp.Drop(ctx, id, req.GetForce()); err != nil {
			f := classify(err)
			f.Message = f.Message + "; " + plural(int(out.Dropped)) + " dropped before it"
			return nil, f
		}
		a.s.o.Logger.Warn("an operator dropped an object from the spool: it is gone", zap.String("upload_id", id),
			zap.String("destination", st.Destination), zap.String("name", st.Name), zap.Int64("size", st.Size))
		out.Dropped++
	}
	return out, nil
}

func plural(n int) string {
	switch n {
	case 0:
		return "none was"
	case 1:
		return "one was"
	default:
		return "others were"
	}
}

// drainTick is how often Drain says how far it is.
const drainTick = time.Second

// Drain implements the API.
func (a *adminService) Drain(req *brokerdv1.DrainRequest, stream grpc.ServerStreamingServer[brokerdv1.DrainResponse]) error {
	if err := a.admin(stream.Context()); err != nil {
		return err
	}
	s := a.s
	if req.GetResume() {
		s.draining.Store(false)
		s.UpdateHealth()
		s.o.Logger.Info("uploads are accepted again: draining was ended")
		out := s.drained()
		out.Done = true
		return stream.Send(out)
	}
	var over <-chan time.Time
	if req.GetTimeout() != nil {
		timer := time.NewTimer(req.GetTimeout().AsDuration())
		defer timer.Stop()
		over = timer.C
	}
	s.draining.Store(true)
	s.UpdateHealth()
	s.o.Logger.Info("draining: no new uploads are taken")
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	// The first looks are close together: there may be nothing to wait for.
	wait := time.After(20 * time.Millisecond)
	for {
		out := s.drained()
		out.Done = out.OpenUploads == 0 && out.QueuedObjects == 0
		if out.Done {
			s.o.Logger.Info("drained", zap.Uint64("parked", out.GetParkedObjects()), zap.Uint64("dead", out.GetDeadObjects()))
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
		case <-s.watching.Done():
			out.Done = true
		}
		if err := stream.Send(out); err != nil || out.Done {
			return err
		}
	}
}

// drained counts what is left to do.
func (s *Server) drained() *brokerdv1.DrainResponse {
	_, open := s.o.Gate.Used()
	out := &brokerdv1.DrainResponse{OpenUploads: uint32(open)}
	if s.o.Spool == nil {
		return out
	}
	for _, u := range s.o.Spool.Usage() {
		out.QueuedObjects += uint64(u.Queued + u.Delivering)
		out.QueuedBytes += uint64(u.QueuedBytes + u.DeliveringBytes)
		out.ParkedObjects += uint64(u.Parked)
		out.DeadObjects += uint64(u.Dead)
	}
	return out
}
