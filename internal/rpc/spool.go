package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
	"github.com/brokerd/brokerd/internal/uploader"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// Spool keeps what was accepted until it is delivered; spool.Spool does.
type Spool interface {
	Accept(ctx context.Context, h spool.Header, body io.Reader, verify func(length int64, crc32c uint32) error) (spool.Status, bool, error)
	Wait(ctx context.Context, id string) (spool.Status, error)
	Status(id string) (spool.Status, bool)
	Usage() []spool.Usage
	List(f spool.Filter) iter.Seq[spool.Status]
	Retry(destination string, ids ...string) (int, error)
	Export(ctx context.Context, id string, w io.Writer) (int64, error)
	Drop(ctx context.Context, id string, force bool) error
}

// keep puts an upload into the spool, and waits for its delivery where the
// destination asks for that.
func (s *Server) keep(ctx context.Context, p access.Peer, rec record, obj uploader.Object, in incoming, key string, d *config.Destination) (*brokerdv1.UploadResponse, error) {
	h := spool.Header{
		ID: obj.ID, Destination: rec.destination, Name: obj.Name, Key: obj.Key, UID: obj.UID, GID: obj.GID, Received: obj.Received,
		Size: obj.Size, PartSize: int64(d.PartSize), ContentType: obj.ContentType, ContentEncoding: obj.ContentEncoding, Metadata: obj.Metadata, IdempotencyKey: key,
	}
	st, known, err := s.o.Spool.Accept(ctx, h, in, obj.Verify)
	if err != nil {
		s.settle(rec, p, uploader.Stored{}, err)
		return nil, err
	}
	s.o.Ledger.forget(rec.id) // from here on the spool knows, over restarts as well
	if known {
		if err := takenBySpool(st).again(rec.name, obj.Size, d, in); err != nil {
			s.o.Logger.Warn("an upload came under a key that is taken", zap.String("upload_id", st.ID), zap.String("destination", rec.destination),
				zap.String("name", rec.name), zap.String("peer", s.rules().Describe(p)), zap.Error(err))
			return nil, err
		}
	}
	s.o.Meter.UploadSpooled(rec.destination, st.Size)
	s.o.Logger.Info("upload spooled", zap.String("upload_id", st.ID), zap.String("destination", rec.destination), zap.String("name", rec.name),
		zap.String("peer", s.rules().Describe(p)), zap.Int32("pid", p.PID), zap.Int64("size", st.Size), zap.String("key", st.Key),
		zap.Bool("known", known), zap.Duration("took", time.Since(rec.started)))
	if d.Durability == config.DurabilitySpoolWait {
		return s.delivered(ctx, st)
	}
	return spooled(st)
}

// delivered waits until S3 has confirmed an object of the spool.
func (s *Server) delivered(ctx context.Context, st spool.Status) (*brokerdv1.UploadResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unhook := context.AfterFunc(s.watching, cancel)
	defer unhook()
	id := st.ID
	st, err := s.o.Spool.Wait(ctx, id)
	switch {
	case err != nil && s.stopping.Load():
		return nil, reason.New(reason.ShuttingDown, "the daemon is stopping; upload %s is safe in its spool and is delivered after the restart", id).
			After(retryAfter).With("upload_id", id)
	case err != nil:
		f := classify(err)
		f.Message = "upload " + id + " is safe in the spool and will be delivered; waiting for that ended: " + f.Message
		return nil, f.With("upload_id", id)
	default:
		return spooled(st)
	}
}

// spooled describes an upload that the spool has taken, now or earlier.
func spooled(st spool.Status) (*brokerdv1.UploadResponse, error) {
	out := &brokerdv1.UploadResponse{UploadId: st.ID, State: brokerdv1.UploadState_UPLOAD_STATE_SPOOLED}
	switch st.State {
	case spool.Delivered:
		stored, err := Receipt(st)
		if err != nil {
			return nil, err
		}
		out.State, out.Object = brokerdv1.UploadState_UPLOAD_STATE_STORED, objectOf(stored)
	case spool.Dead:
		return nil, retryable(st.LastReason, fmt.Errorf("upload %s is kept in the spool, and cannot be delivered as it is: %s", st.ID, st.LastError), 0).With("upload_id", st.ID)
	}
	return out, nil
}

// Receipt is what S3 confirmed of an object that the spool has delivered.
func Receipt(st spool.Status) (uploader.Stored, error) {
	var stored uploader.Stored
	if err := json.Unmarshal(st.Receipt, &stored); err != nil {
		return stored, fmt.Errorf("upload %s was delivered, and its receipt cannot be read: %w", st.ID, err)
	}
	return stored, nil
}
