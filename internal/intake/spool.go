package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
	"github.com/brokerd/brokerd/internal/uploader"
)

// Spool keeps accepted objects until they are delivered; spool.Spool does.
type Spool interface {
	Accept(ctx context.Context, h spool.Header, body spool.Body) (spool.Status, bool, error)
	Wait(ctx context.Context, id string) (spool.Status, error)
	Status(id string) (spool.Status, bool)
	Usage() []spool.Usage
	Unrecovered() spool.Unrecovered
}

// keep puts an upload into the spool, and waits for its delivery when the destination
// asks for that.
func (in *Intake) keep(
	ctx context.Context,
	p access.Peer,
	rec record,
	h *Header,
	delivery *uploader.Delivery,
	body Incoming,
	d *config.Destination,
) (Outcome, error) {
	obj := delivery.Object
	st, known, err := in.o.Spool.Accept(ctx, spool.Header{
		ID: obj.ID, Destination: rec.destination, Name: obj.Name, Key: obj.Key, UID: obj.UID, GID: obj.GID, Received: obj.Received,
		Size: obj.Size, PartSize: int64(d.PartSize), ContentType: obj.ContentType, ContentEncoding: obj.ContentEncoding, Metadata: obj.Metadata,
		IdempotencyKey: h.IdempotencyKey,
	}, delivery.Body)
	if err != nil {
		in.settle(rec, p, uploader.Stored{}, err)
		return Outcome{}, err
	}
	in.uploads.forget(rec) // the spool remembers it, and survives a restart
	if known {
		// The size of obj is that of the bytes in the spool.
		sent := *h
		if sent.Size = nil; obj.Size >= 0 {
			size := uint64(obj.Size)
			sent.Size = &size
		}
		if err := takenBySpool(st).sameAs(&sent, d, body); err != nil {
			in.o.Lines.Warn(
				rec.party,
				string(reason.IdempotencyConflict),
				"an upload reused the idempotency key of another object",
				zap.String("upload_id", st.ID),
				zap.String("destination", rec.destination),
				zap.String("name", rec.name),
				zap.String("peer", in.o.Policy.Describe(p)),
				zap.Error(err),
			)
			return Outcome{}, err
		}
	}
	in.o.Meter.UploadSpooled(rec.destination, st.Size)
	in.o.Logger.Info(
		"upload spooled",
		zap.String("upload_id", st.ID),
		zap.String("destination", rec.destination),
		zap.String("name", rec.name),
		zap.String("peer", in.o.Policy.Describe(p)),
		zap.Int32("pid", p.PID),
		zap.Int64("size", st.Size),
		zap.String("key", st.Key),
		zap.Bool("known", known),
		zap.Duration("took", time.Since(rec.started)),
	)
	if d.Durability == config.DurabilitySpoolWait {
		return in.awaitDelivery(ctx, st)
	}
	return outcomeOf(st)
}

// awaitDelivery waits until S3 has confirmed an object of the spool.
func (in *Intake) awaitDelivery(ctx context.Context, st spool.Status) (Outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unhook := context.AfterFunc(in.waiting, cancel)
	defer unhook()
	id := st.ID
	st, err := in.o.Spool.Wait(ctx, id)
	switch {
	case err != nil && in.stopping.Load():
		return Outcome{},
			reason.New(reason.ShuttingDown, "the daemon is stopping; upload %s is safe in the spool and is delivered after the restart", id).
				After(retryAfter).
				With("upload_id", id)
	case err != nil:
		f := Classify(err)
		return Outcome{}, (&reason.Error{
			Reason: f.Reason, Status: f.Status, RetryAfter: f.RetryAfter, Metadata: f.Metadata, Err: err,
			Message: "upload " + id + " is safe in the spool and will be delivered; the wait for that ended: " + f.Message,
		}).With("upload_id", id)
	default:
		return outcomeOf(st)
	}
}

// outcomeOf returns the outcome of an upload that the spool has accepted.
func outcomeOf(st spool.Status) (Outcome, error) {
	switch st.State {
	case spool.Delivered:
		stored, err := receipt(st)
		if err != nil {
			return Outcome{}, err
		}
		return Outcome{ID: st.ID, Stored: &stored}, nil
	case spool.Dead, spool.Quarantined:
		err := fmt.Errorf("upload %s stays in the spool and cannot be delivered as it is: %s", st.ID, st.LastError)
		return Outcome{}, Retryable(st.LastReason, err, 0).With("upload_id", st.ID)
	}
	return Outcome{ID: st.ID}, nil
}

// receipt returns S3's confirmation of an object that the spool has delivered. A
// receipt that the disk does not return now, or for which the daemon has no descriptor
// free, is a temporary error: the object is in S3.
func receipt(st spool.Status) (uploader.Stored, error) {
	var stored uploader.Stored
	if st.Err != nil {
		r := reason.SpoolFailed
		if errors.Is(st.Err, syscall.EMFILE) || errors.Is(st.Err, syscall.ENFILE) {
			r = reason.TooManyFiles
		}
		return stored, reason.New(r, "upload %s was delivered; its receipt cannot be read now: %v", st.ID, st.Err).
			After(retryAfter).
			With("upload_id", st.ID)
	}
	if err := json.Unmarshal(st.Receipt, &stored); err != nil {
		return stored, fmt.Errorf("upload %s was delivered, and its receipt cannot be read: %w", st.ID, err)
	}
	return stored, nil
}
