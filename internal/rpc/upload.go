package rpc

import (
	"context"
	"time"

	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/brokerd/brokerd/internal/intake"
	"github.com/brokerd/brokerd/internal/uploader"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// UploadIDHeader is the response header that carries the id of an upload from the
// moment its header is accepted.
const UploadIDHeader = "brokerd-upload-id"

// IdleTimeoutHeader is the response header that carries limits.idle_timeout. It tells the
// client that this daemon accepts keep-alive messages, and how often to send them.
const IdleTimeoutHeader = "brokerd-idle-timeout"

type brokerService struct {
	brokerdv1.UnimplementedBrokerServiceServer
	s *Server
}

// Upload implements the API.
func (b *brokerService) Upload(stream brokerdv1.BrokerService_UploadServer) error {
	p, err := caller(stream.Context())
	if err != nil {
		return err
	}
	limits := b.s.policy.Config().Limits
	idle := limits.IdleTimeout.Std()
	ctx, arrived, cancel := b.s.untilHeader(stream.Context())
	defer cancel()
	body := b.s.intake.NewStream(ctx, &streamSender{stream: stream, idle: idle}, intake.StreamLimits{
		Idle: idle, MaxObject: int64(limits.MaxObject),
	})
	defer body.Release()
	h, err := body.Header()
	if err != nil {
		return classify(err)
	}
	arrived()
	out, err := b.s.intake.Receive(stream.Context(), p, h, body)
	if err != nil {
		return classify(err)
	}
	return stream.SendAndClose(uploadResponse(out))
}

// uploadStream is a stream whose codec knows *frame.
type uploadStream interface {
	Context() context.Context
	RecvMsg(m any) error
	SetHeader(md metadata.MD) error
	SendHeader(md metadata.MD) error
}

// streamSender is the client of an upload stream. It translates the messages, and
// implements intake.Sender.
type streamSender struct {
	stream uploadStream
	idle   time.Duration
	frame  frame
}

// Announce implements intake.Announcer. The id goes into the header of the response.
func (r *streamSender) Announce(id string) error {
	return r.stream.SetHeader(metadata.Pairs(UploadIDHeader, id, IdleTimeoutHeader, r.idle.String()))
}

// Flush implements intake.Sender.
func (r *streamSender) Flush() error { return r.stream.SendHeader(nil) }

// Receive implements intake.Sender.
func (r *streamSender) Receive(m *intake.Message) error {
	r.frame = frame{}
	if err := r.stream.RecvMsg(&r.frame); err != nil {
		return fromStatus(err)
	}
	*m = messageOf(&r.frame)
	return nil
}

func messageOf(f *frame) intake.Message {
	if f.chunk != nil {
		return intake.Message{Chunk: f.chunk}
	}
	switch part := f.msg.GetPart().(type) {
	case *brokerdv1.UploadRequest_Chunk:
		return intake.Message{Chunk: mem.BufferSlice{mem.SliceBuffer(part.Chunk)}}
	case *brokerdv1.UploadRequest_Trailer:
		return intake.Message{Trailer: &intake.Trailer{Length: part.Trailer.GetLength(), CRC32C: part.Trailer.GetCrc32C()}}
	case *brokerdv1.UploadRequest_KeepAlive:
		return intake.Message{KeepAlive: true}
	case *brokerdv1.UploadRequest_Header:
		return intake.Message{Header: headerOf(part.Header)}
	}
	return intake.Message{}
}

func headerOf(h *brokerdv1.UploadHeader) *intake.Header {
	return &intake.Header{
		Destination: h.GetDestination(), Name: h.GetName(), ContentType: h.GetContentType(), ContentEncoding: h.GetContentEncoding(),
		Metadata: h.GetMetadata(), IdempotencyKey: h.GetIdempotencyKey(), Size: h.Size,
	}
}

func uploadResponse(o intake.Outcome) *brokerdv1.UploadResponse {
	if o.Stored == nil {
		return &brokerdv1.UploadResponse{UploadId: o.ID, State: brokerdv1.UploadState_UPLOAD_STATE_SPOOLED}
	}
	return &brokerdv1.UploadResponse{UploadId: o.ID, State: brokerdv1.UploadState_UPLOAD_STATE_STORED, Object: storedObject(o.Stored)}
}

func storedObject(o *uploader.Stored) *brokerdv1.StoredObject {
	return &brokerdv1.StoredObject{
		Bucket: o.Bucket, Key: o.Key, VersionId: o.VersionID, Etag: o.ETag, Size: uint64(o.Size),
		ChecksumCrc32C: o.ChecksumCRC32C, ServerSideEncryption: o.Encryption, KmsKeyArn: o.KMSKeyARN,
		Parts: uint32(o.Parts), Attempts: uint32(o.Attempts), StoredTime: timestamppb.New(o.Time), Existed: o.Existed,
	}
}
