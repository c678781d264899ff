package rpc

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// UploadIDHeader is the response header that carries the id of an upload from
// the moment its header was accepted.
const UploadIDHeader = "brokerd-upload-id"

type brokerService struct {
	brokerdv1.UnimplementedBrokerServiceServer
	s *Server
}

// Upload implements the API.
func (b *brokerService) Upload(stream brokerdv1.BrokerService_UploadServer) error {
	s := b.s
	p, err := caller(stream.Context())
	if err != nil {
		return err
	}
	in := newBody(stream, s.config().Limits.IdleTimeout.Std(), s.receivers)
	defer in.release()
	in.max = int64(s.config().Limits.MaxObject)
	h, err := in.header()
	if err != nil {
		return classify(err)
	}
	resp, err := s.receive(stream.Context(), p, h, incoming{Body: in, verify: in.verify, accepted: func(id string) error {
		// It travels with the answer, unless the client takes its time: an upload that
		// has come whole is answered at once.
		in.late = sync.OnceValue(func() error { return stream.SendHeader(nil) })
		return stream.SetHeader(metadata.Pairs(UploadIDHeader, id))
	}})
	if err != nil {
		return classify(err)
	}
	return stream.SendAndClose(resp)
}

// incoming is what comes after the header of an upload, however it comes.
type incoming struct {
	uploader.Body
	// verify compares what came with what the sender says it sent.
	verify func(length int64, crc32c uint32) error
	// accepted tells the sender the id of its upload, before any byte is taken.
	accepted func(id string) error
}

// receive is the one way in for an upload: rights, limits, admission, and then
// what the destination's durability asks for.
func (s *Server) receive(ctx context.Context, p access.Peer, h *brokerdv1.UploadHeader, in incoming) (*brokerdv1.UploadResponse, error) {
	if err := s.closed(); err != nil {
		return nil, err
	}
	if err := s.admissible(p, h); err != nil {
		return nil, err
	}
	slot, err := s.o.Gate.Admit()
	if err != nil {
		return nil, err
	}
	defer slot.Release()
	// Again, now that it is counted: a drain that began meanwhile has either seen
	// this upload, or is seen here.
	if err := s.closed(); err != nil {
		return nil, err
	}

	id, received := s.o.Ledger.identify(p.UID, h.GetDestination(), h.GetIdempotencyKey(), time.Now())
	rec := record{id: id, destination: h.GetDestination(), name: h.GetName(), uid: p.UID, started: time.Now()}
	earlier, end, err := s.o.Ledger.begin(ctx, rec)
	if err != nil {
		return nil, err
	}
	defer end()
	if err := in.accepted(rec.id); err != nil {
		s.o.Ledger.end(rec, uploader.Stored{}, classify(err))
		return nil, err
	}
	if earlier != nil {
		if err := takenBefore(earlier).again(rec.name, announced(h), s.config().Destinations[rec.destination], in); err != nil {
			return nil, err
		}
		return &brokerdv1.UploadResponse{UploadId: id, State: brokerdv1.UploadState_UPLOAD_STATE_STORED, Object: objectOf(earlier.stored)}, nil
	}
	delivery, err := s.o.Deliver.Open(ctx, rec.destination, uploader.Object{
		ID: rec.id, Name: h.GetName(), UID: p.UID, GID: p.GID, Unit: p.Unit, Pod: p.Pod, Received: received,
		ContentType: h.GetContentType(), ContentEncoding: h.GetContentEncoding(), Metadata: h.GetMetadata(), Size: announced(h), Verify: in.verify,
	}, in)
	if err != nil {
		s.settle(rec, p, uploader.Stored{}, err)
		return nil, err
	}
	defer delivery.Close()
	if d := s.config().Destinations[rec.destination]; d != nil && d.Spools() {
		return s.keep(ctx, p, rec, delivery.Object, incoming{Body: delivery.Body, verify: in.verify}, h.GetIdempotencyKey(), d)
	}
	stored, err := s.o.Deliver.Put(ctx, delivery)
	s.settle(rec, p, stored, err)
	if err != nil {
		return nil, err
	}
	return &brokerdv1.UploadResponse{
		UploadId: rec.id, State: brokerdv1.UploadState_UPLOAD_STATE_STORED, Object: objectOf(stored),
	}, nil
}

// announced is the size that a header names, -1 when it names none.
func announced(h *brokerdv1.UploadHeader) int64 {
	if h.Size == nil {
		return -1
	}
	return int64(h.GetSize())
}

// closed says why no upload is taken now; nil when one is.
func (s *Server) closed() error {
	switch {
	case s.stopping.Load():
		return reason.New(reason.ShuttingDown, "the daemon is stopping and takes no new uploads").After(retryAfter)
	case s.draining.Load():
		return reason.New(reason.Draining, "the daemon is being drained and takes no new uploads; 'brokerctl drain --resume' ends that").After(retryAfter)
	default:
		return nil
	}
}

// admissible decides on a header before anything is reserved for it.
func (s *Server) admissible(p access.Peer, h *brokerdv1.UploadHeader) error {
	if err := validate(h); err != nil {
		return err
	}
	if err := s.allow(p, config.PermUpload, h.GetDestination()); err != nil {
		return err
	}
	if most := uint64(s.config().Limits.MaxObject); h.GetSize() > most {
		return reason.New(reason.ObjectTooLarge, "the header announces %d bytes, limits.max_object is %d", h.GetSize(), most)
	}
	return nil
}

// settle records, counts and logs how an upload ended.
func (s *Server) settle(rec record, p access.Peer, stored uploader.Stored, err error) {
	took := time.Since(rec.started)
	about := func() []zap.Field {
		return []zap.Field{
			zap.String("upload_id", rec.id), zap.String("destination", rec.destination), zap.String("name", rec.name),
			zap.String("peer", s.rules().Describe(p)), zap.Int32("pid", p.PID), zap.Duration("took", took),
		}
	}
	if err != nil {
		f := classify(err)
		s.o.Ledger.end(rec, uploader.Stored{}, f)
		s.o.Meter.UploadEnded(rec.destination, string(f.Reason), 0, took)
		s.o.Logger.Warn("upload failed", append(about(), zap.String("reason", string(f.Reason)), zap.String("error", f.Message))...)
		return
	}
	s.o.Ledger.end(rec, stored, nil)
	s.o.Meter.UploadEnded(rec.destination, "STORED", stored.Size, took)
	if !s.o.Logger.Core().Enabled(zap.InfoLevel) {
		return
	}
	s.o.Logger.Info("upload stored", append(about(), zap.String("bucket", stored.Bucket), zap.String("key", stored.Key),
		zap.String("version_id", stored.VersionID), zap.Int64("size", stored.Size), zap.Int("parts", stored.Parts), zap.Int("attempts", stored.Attempts))...)
}

func objectOf(o uploader.Stored) *brokerdv1.StoredObject {
	return &brokerdv1.StoredObject{
		Bucket: o.Bucket, Key: o.Key, VersionId: o.VersionID, Etag: o.ETag, Size: uint64(o.Size),
		ChecksumCrc32C: o.ChecksumCRC32C, ServerSideEncryption: o.Encryption, KmsKeyArn: o.KMSKeyARN,
		Parts: uint32(o.Parts), Attempts: uint32(o.Attempts), StoredTime: timestamppb.New(o.Time), Existed: o.Existed,
	}
}
