package rpc

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// usage returns the contents of the spool by destination.
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

// spool returns the spool to a call that was admitted.
func (a *adminService) spool() (Spool, error) {
	if a.s.o.Spool == nil {
		return nil, reason.New(reason.NoSpool, "the daemon has no spool: no destination had durability spool or spool-wait when it started")
	}
	return a.s.o.Spool, nil
}

var spoolStates = map[spool.State]brokerdv1.SpoolState{
	spool.Queued:      brokerdv1.SpoolState_SPOOL_STATE_QUEUED,
	spool.Delivering:  brokerdv1.SpoolState_SPOOL_STATE_DELIVERING,
	spool.Parked:      brokerdv1.SpoolState_SPOOL_STATE_PARKED,
	spool.Dead:        brokerdv1.SpoolState_SPOOL_STATE_DEAD,
	spool.Unreadable:  brokerdv1.SpoolState_SPOOL_STATE_UNREADABLE,
	spool.Quarantined: brokerdv1.SpoolState_SPOOL_STATE_QUARANTINED,
}

// ListSpool implements the API.
func (a *adminService) ListSpool(req *brokerdv1.ListSpoolRequest, stream grpc.ServerStreamingServer[brokerdv1.ListSpoolResponse]) error {
	if err := a.reads(stream.Context(), "ListSpool", zap.String("destination", req.GetDestination())); err != nil {
		return err
	}
	sp, err := a.spool()
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
	facts := append(uploadIDs(req.GetUploadIds()), zap.String("destination", req.GetDestination()))
	if err := a.acts(ctx, "RetrySpool", facts...); err != nil {
		return nil, err
	}
	sp, err := a.spool()
	if err != nil {
		return nil, err
	}
	ids, destination := req.GetUploadIds(), req.GetDestination()
	if (len(ids) == 0) == (destination == "") {
		return nil, reason.New(reason.InvalidHeader, "name either upload ids or a destination")
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
	a.s.o.Logger.Info(
		"an operator retried objects of the spool",
		zap.String("destination", destination),
		zap.Strings("upload_ids", ids),
		zap.Int("retried", n),
		zap.Error(err),
	)
	if err != nil {
		return nil, classify(err)
	}
	return &brokerdv1.RetrySpoolResponse{Retried: uint32(n)}, nil
}

// ExportSpool implements the API.
func (a *adminService) ExportSpool(
	req *brokerdv1.ExportSpoolRequest,
	stream grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse],
) error {
	if err := a.acts(stream.Context(), "ExportSpool", uploadIDs([]string{req.GetUploadId()})...); err != nil {
		return err
	}
	sp, err := a.spool()
	if err != nil {
		return err
	}
	if _, err := sp.Export(stream.Context(), req.GetUploadId(), exporter{stream}); err != nil {
		return classify(err)
	}
	a.s.o.Logger.Info("an operator exported an object of the spool", zap.String("upload_id", req.GetUploadId()))
	return nil
}

type exporter struct {
	stream grpc.ServerStreamingServer[brokerdv1.ExportSpoolResponse]
}

// Write implements io.Writer.
func (e exporter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		piece := p[:min(len(p), intake.MaxChunk)]
		if err := e.stream.Send(&brokerdv1.ExportSpoolResponse{Chunk: piece}); err != nil {
			return n, err
		}
		p, n = p[len(piece):], n+len(piece)
	}
	return n, nil
}

// DropSpool implements the API. It stops at the first object that cannot be dropped.
func (a *adminService) DropSpool(ctx context.Context, req *brokerdv1.DropSpoolRequest) (*brokerdv1.DropSpoolResponse, error) {
	if err := a.acts(ctx, "DropSpool", append(uploadIDs(req.GetUploadIds()), zap.Bool("force", req.GetForce()))...); err != nil {
		return nil, err
	}
	sp, err := a.spool()
	if err != nil {
		return nil, err
	}
	out := &brokerdv1.DropSpoolResponse{}
	for _, id := range req.GetUploadIds() {
		st, _ := sp.Status(id)
		if err := sp.Drop(ctx, id, req.GetForce()); err != nil {
			e := classify(err)
			e.Message = fmt.Sprintf("%s; %d objects before it were dropped", e.Message, out.Dropped)
			return nil, e
		}
		a.s.o.Logger.Warn("an operator dropped an object from the spool; the daemon has deleted it", zap.String("upload_id", id),
			zap.String("destination", st.Destination), zap.String("name", st.Name), zap.Int64("size", st.Size))
		out.Dropped++
	}
	return out, nil
}

// problemsOf returns the files that the spool cannot deliver; nil without one.
func problemsOf(u spool.Unrecovered) *brokerdv1.SpoolProblems {
	if u.Unreadable+u.Quarantined == 0 {
		return nil
	}
	return &brokerdv1.SpoolProblems{
		UnreadableObjects: uint64(u.Unreadable), UnreadableBytes: uint64(u.UnreadableBytes),
		QuarantinedObjects: uint64(u.Quarantined), QuarantinedBytes: uint64(u.QuarantinedBytes), Detail: u.Detail,
	}
}
