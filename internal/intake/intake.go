package intake

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/uploader"
)

// Deliverer delivers objects; uploader.Uploader does.
type Deliverer interface {
	Open(ctx context.Context, destination string, obj uploader.Object, body uploader.Body) (*uploader.Delivery, error)
	Put(ctx context.Context, d *uploader.Delivery) (uploader.Stored, error)
}

// Admission admits uploads; uploader.Budget does.
type Admission interface {
	Admit(p quota.Party) (*uploader.Slot, error)
	// SetParties says how many users and groups the rules let in.
	SetParties(n int)
	MaxUploads() int
	Total() int64
	Used() (bytes int64, uploads int)
}

// Policy is the current configuration with its access rules. A reload may replace it
// between two calls.
type Policy interface {
	Config() *config.Config
	// Allow returns an error with a reason unless the peer has the permission on a
	// configured destination.
	Allow(p access.Peer, perm config.Permission, destination string) error
	// Describe names a peer in logs.
	Describe(p access.Peer) string
	// Party is the account that the resources of a peer are charged to.
	Party(p access.Peer) quota.Party
}

// Stats counts deliveries per destination; health.Stats does.
type Stats interface {
	Stored(destination string, size int64, at time.Time)
	Failed(destination string, r reason.Reason, message string)
}

// Meter counts uploads.
type Meter interface {
	UploadSpooled(destination string, bytes int64)
	UploadEnded(destination, reason string, bytes int64, took time.Duration)
}

// Options are the parts of an Intake. All are required except Lines, and Spool,
// which only destinations that spool need.
type Options struct {
	Policy    Policy
	Deliver   Deliverer
	Spool     Spool
	Admission Admission
	Stats     Stats
	Meter     Meter
	Logger    *zap.Logger
	// Lines limits the log lines about uploads that failed; nil: a limit of its own.
	Lines *quota.Lines
}

// Intake takes uploads in. Its methods may be called from several goroutines.
type Intake struct {
	o        Options
	uploads  *UploadRegistry
	stopping atomic.Bool
	draining atomic.Bool
	// waiting ends when the daemon stops: calls that only wait must not delay the stop.
	waiting context.Context
	endWait context.CancelFunc
	readers *receivers
}

// New returns an Intake. Close it after its last upload.
func New(o Options) (*Intake, error) {
	if o.Policy == nil || o.Deliver == nil || o.Admission == nil || o.Stats == nil || o.Meter == nil || o.Logger == nil {
		return nil, errors.New("intake: an option is missing")
	}
	if o.Lines == nil {
		o.Lines = quota.NewLines(o.Logger)
	}
	in := &Intake{o: o, uploads: newUploadRegistry(), readers: newReceivers()}
	in.waiting, in.endWait = context.WithCancel(context.Background())
	return in, nil
}

// Incoming is the body of an upload, however it arrives.
type Incoming interface {
	uploader.Body
	// Accepted tells the sender the id of its upload, before any byte is read.
	Accepted(id string) error
}

// Outcome is a successful upload.
type Outcome struct {
	ID string
	// Stored is the confirmed object; nil: the spool holds it, and delivers it later.
	Stored *uploader.Stored
}

// Receive takes one upload in. It returns when the destination's durability is met, or
// with an error that Classify understands.
func (in *Intake) Receive(ctx context.Context, p access.Peer, h *Header, body Incoming) (Outcome, error) {
	if err := in.closed(); err != nil {
		return Outcome{}, err
	}
	if err := in.Admissible(p, h); err != nil {
		return Outcome{}, err
	}
	return in.receive(ctx, p, h, body, func(r *record) (spool bool, received time.Time) {
		return true, in.uploads.identify(r, h.IdempotencyKey, r.started)
	})
}

// Own is the identity of an upload that the daemon makes by itself. The id decides the
// object's key, so that a repetition is the same object, also after a restart.
type Own struct {
	ID       string
	Received time.Time // sets the date parts of the key
	Spool    bool      // the spool may take it, where the destination spools
}

// ReceiveOwn takes in an upload of the daemon itself. The configuration allows it, and no
// access rule is asked. p is the user to whom the bytes belong.
func (in *Intake) ReceiveOwn(ctx context.Context, p access.Peer, h *Header, own Own, body Incoming) (Outcome, error) {
	if err := in.closed(); err != nil {
		return Outcome{}, err
	}
	if err := h.validate(); err != nil {
		return Outcome{}, err
	}
	if err := in.fits(h); err != nil {
		return Outcome{}, err
	}
	return in.receive(ctx, p, h, body, func(r *record) (spool bool, received time.Time) {
		r.id = own.ID
		return own.Spool, own.Received
	})
}

// receive takes in an upload that is allowed. identify is called once it is counted: it
// gives the record its id, and says whether the spool may take the upload.
func (in *Intake) receive(
	ctx context.Context, p access.Peer, h *Header, body Incoming, identify func(*record) (spool bool, received time.Time),
) (Outcome, error) {
	slot, err := in.o.Admission.Admit(in.o.Policy.Party(p))
	if err != nil {
		return Outcome{}, err
	}
	defer slot.Release()
	// Checked again, now that the upload is counted: a drain that began meanwhile has
	// either counted this upload, or is seen here.
	if err := in.closed(); err != nil {
		return Outcome{}, err
	}
	rec := record{destination: h.Destination, name: h.Name, uid: p.UID, party: in.o.Policy.Party(p), started: time.Now()}
	spool, received := identify(&rec)
	claim, err := in.uploads.claim(ctx, rec)
	if err != nil {
		return Outcome{}, err
	}
	defer claim.release()
	if err := body.Accepted(rec.id); err != nil {
		f := Classify(err)
		in.uploads.end(claim.record, uploader.Stored{}, f)
		in.o.Stats.Failed(h.Destination, f.Reason, f.Message)
		return Outcome{}, err
	}
	if earlier := claim.earlier; earlier != nil {
		if err := takenBefore(earlier).sameAs(h, in.o.Policy.Config().Destinations[h.Destination], body); err != nil {
			return Outcome{}, err
		}
		return Outcome{ID: rec.id, Stored: &earlier.stored}, nil
	}
	return in.deliver(ctx, p, h, claim.record, received, spool, body)
}

// deliver hands a claimed upload to its destination, by way of the spool where the
// destination asks for it and the upload allows it.
func (in *Intake) deliver(
	ctx context.Context, p access.Peer, h *Header, rec record, received time.Time, spool bool, body Incoming,
) (Outcome, error) {
	delivery, err := in.o.Deliver.Open(ctx, rec.destination, uploader.Object{
		ID: rec.id, Name: h.Name, UID: p.UID, GID: p.GID, Unit: p.Unit, Pod: p.Pod, Received: received, Party: rec.party,
		ContentType: h.ContentType, ContentEncoding: h.ContentEncoding, Metadata: h.Metadata, Size: h.announced(),
	}, body)
	if err = attribute(ctx, err); err != nil {
		in.settle(rec, p, uploader.Stored{}, err)
		return Outcome{}, err
	}
	defer delivery.Close()
	if d := in.o.Policy.Config().Destinations[rec.destination]; d != nil && d.Spools() && spool {
		return in.keep(ctx, p, rec, h, delivery, body, d)
	}
	stored, err := in.o.Deliver.Put(ctx, delivery)
	err = attribute(ctx, err)
	in.settle(rec, p, stored, err)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{ID: rec.id, Stored: &stored}, nil
}

// Admissible decides on a header before anything is reserved for it. Receive calls it; a
// caller calls it first where already the opening of the body costs something.
func (in *Intake) Admissible(p access.Peer, h *Header) error {
	if err := h.validate(); err != nil {
		return err
	}
	if err := in.o.Policy.Allow(p, config.PermUpload, h.Destination); err != nil {
		return err
	}
	return in.fits(h)
}

// fits refuses an upload whose announced size exceeds the limit.
func (in *Intake) fits(h *Header) error {
	if most := uint64(in.o.Policy.Config().Limits.MaxObject); h.Size != nil && *h.Size > most {
		return reason.New(reason.ObjectTooLarge, "the header announces %d bytes; limits.max_object is %d", *h.Size, most)
	}
	return nil
}

// settle records, counts and logs how an upload ended.
func (in *Intake) settle(rec record, p access.Peer, stored uploader.Stored, err error) {
	took := time.Since(rec.started)
	about := func() []zap.Field {
		return []zap.Field{
			zap.String("upload_id", rec.id), zap.String("destination", rec.destination), zap.String("name", rec.name),
			zap.String("peer", in.o.Policy.Describe(p)), zap.Int32("pid", p.PID), zap.Duration("took", took),
		}
	}
	if err != nil {
		f := Classify(err)
		in.uploads.end(rec, uploader.Stored{}, f)
		in.o.Stats.Failed(rec.destination, f.Reason, f.Message)
		in.o.Meter.UploadEnded(rec.destination, string(f.Reason), 0, took)
		in.o.Lines.Warn(rec.party, string(f.Reason), "upload failed",
			append(about(), zap.String("reason", string(f.Reason)), zap.String("error", f.Message))...)
		return
	}
	in.uploads.end(rec, stored, nil)
	in.o.Stats.Stored(rec.destination, stored.Size, stored.Time)
	in.o.Meter.UploadEnded(rec.destination, "STORED", stored.Size, took)
	if !in.o.Logger.Core().Enabled(zap.InfoLevel) {
		return
	}
	in.o.Logger.Info("upload stored", append(
		about(),
		zap.String("bucket", stored.Bucket),
		zap.String("key", stored.Key),
		zap.String(
			"version_id",
			stored.VersionID,
		),
		zap.Int64("size", stored.Size),
		zap.Int("parts", stored.Parts),
		zap.Int("attempts", stored.Attempts),
	)...)
}
