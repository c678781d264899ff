package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/health"
	"github.com/brokerd/brokerd/internal/spool"
	"github.com/brokerd/brokerd/internal/telemetry"
	"github.com/brokerd/brokerd/internal/uploader"
)

// orphansSuffix is appended to the spool's directory, and names the directory of
// the record of multipart uploads of streams.
const orphansSuffix = ".streams"

// defaultMaxObjects bounds the objects of a destination in the spool. Memory holds an
// index entry of each.
const defaultMaxObjects = 1_000_000

// delivery connects the spool to the uploader, and reports each result to the log,
// the metrics and the ledger.
type delivery struct {
	upload  *uploader.Uploader
	stats   *health.Stats
	metrics *telemetry.Metrics
	log     *zap.Logger
}

// openSpool recovers the spool of a configuration that has one.
func (d *delivery) openSpool(c *config.Config) (*spool.Spool, error) {
	s, err := spool.Open(spool.Options{
		Dir: c.Spool.Dir, Total: int64(c.Spool.Max), PerUID: mostOfAUser(c), MinFree: int64(c.Spool.MinFree),
		Destinations: spoolLimits(c), Workers: c.Spool.Concurrency, AllowVolatile: c.Spool.AllowVolatile,
		Deliver: d.deliver, Abandon: d.abandon, Observer: d,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the spool: %w", err)
	}
	for _, w := range s.Warnings() {
		d.log.Warn("spool: " + w)
	}
	r := s.Recovery()
	d.log.Info(
		"spool opened",
		zap.String("dir", c.Spool.Dir),
		zap.Int("queued", r.Queued),
		zap.Int("dead", r.Dead),
		zap.Int64("bytes", r.Bytes),
		zap.Int("receipts", r.Receipts),
		zap.Int("discarded", r.Discarded),
		zap.Int("finished", r.Finished),
		zap.Int("unreadable", s.Unrecovered().Unreadable),
		zap.Int("quarantined", s.Unrecovered().Quarantined),
	)
	return s, nil
}

// mostOfAUser returns the bytes that the objects of one user may take. By default it is
// half of the spool where more than one user may upload, so that none fills it alone.
func mostOfAUser(c *config.Config) int64 {
	if c.Spool.MaxPerUID > 0 {
		return int64(c.Spool.MaxPerUID)
	}
	users := make(map[string]bool)
	for _, r := range c.Access {
		if !slices.Contains(r.Allow, config.PermUpload) {
			continue
		}
		if r.Peer.UID == "" { // a group may have several users
			return int64(c.Spool.Max) / 2
		}
		users[r.Peer.UID] = true
	}
	if len(users) > 1 {
		return int64(c.Spool.Max) / 2
	}
	return int64(c.Spool.Max)
}

// spoolLimits returns the limits of all destinations. It includes those that do not
// spool any more, so that their remaining objects are delivered.
func spoolLimits(c *config.Config) map[string]spool.Limits {
	out := make(map[string]spool.Limits, len(c.Destinations))
	for name, d := range c.Destinations {
		files := d.Spool.MaxObjects
		if files == 0 {
			files = defaultMaxObjects
		}
		out[name] = spool.Limits{Bytes: int64(d.Spool.Max), Files: files, MaxInFlight: c.Spool.Concurrency}
	}
	return out
}

func (d *delivery) deliver(ctx context.Context, e *spool.Entry) (json.RawMessage, error) {
	h := e.Header()
	stored, err := d.upload.PutAtRest(ctx, h.Destination, uploader.Object{
		ID: h.ID, Name: h.Name, UID: h.UID, GID: h.GID, Received: h.Received, Key: h.Key, Size: h.Size,
		ContentType: h.ContentType, ContentEncoding: h.ContentEncoding, Metadata: h.Metadata,
	}, e)
	if err != nil {
		f := uploader.FailureOf(err)
		if f.Disposition != awserr.Abort {
			d.stats.Failed(h.Destination, f.Reason, err.Error())
		}
		return nil, f
	}
	d.stats.Stored(h.Destination, stored.Size, stored.Time)
	d.metrics.UploadEnded(h.Destination, "STORED", stored.Size, time.Since(h.Received))
	d.log.Info("upload stored", zap.String("upload_id", h.ID), zap.String("destination", h.Destination), zap.String("name", h.Name),
		zap.Uint32("uid", h.UID), zap.String("bucket", stored.Bucket), zap.String("key", stored.Key), zap.String("version_id", stored.VersionID),
		zap.Int64("size", stored.Size), zap.Int("parts", stored.Parts), zap.Int("attempts", stored.Attempts), zap.Bool("existed", stored.Existed),
		zap.Duration("took", time.Since(h.Received)))
	return json.Marshal(stored)
}

func (d *delivery) abandon(ctx context.Context, e *spool.Entry) error {
	return d.upload.Abandon(ctx, e.Header().Destination, e.Header().Key, e)
}

// Event implements spool.Observer.
func (d *delivery) Event(e spool.Event) {
	d.metrics.SpoolEvent(e)
	var fields []zap.Field
	if e.Destination != "" {
		fields = append(fields, zap.String("destination", e.Destination))
	}
	if e.File != "" {
		fields = append(fields, zap.String("file", e.File))
	}
	if e.ID != "" {
		fields = append(fields, zap.String("upload_id", e.ID), zap.Uint32("uid", e.UID), zap.Int64("size", e.Size))
	}
	if e.Reason != "" {
		fields = append(fields, zap.String("reason", e.Reason))
	}
	if e.Err != nil {
		fields = append(fields, zap.Error(e.Err))
	}
	switch e.Kind {
	case spool.EventRetried:
		d.log.Warn(
			"delivery failed; it will be retried",
			append(fields, zap.Int("attempts", e.Attempts), zap.Duration("next_try_in", e.Delay))...)
	case spool.EventParked:
		d.log.Error(
			"destination parked: its objects stay in the spool, and one object at a time probes the destination",
			append(fields, zap.Duration("next_probe_in", e.Delay))...)
	case spool.EventResumed:
		d.log.Info("destination resumed", fields...)
	case spool.EventDead:
		d.log.Error("object cannot be delivered; it stays in the dead-letter directory until an operator retries or drops it", fields...)
	case spool.EventQuarantined:
		d.log.Error("spool: a damaged file was moved to quarantine", fields...)
	case spool.EventUnreadable:
		d.log.Error("spool: an accepted object cannot be read; it stays in place and is read again later", fields...)
	case spool.EventRecovered:
		d.log.Info("spool: an unreadable object has been read again; it is delivered or stays dead", fields...)
	case spool.EventReceiptLost:
		d.log.Error("object delivered, but its receipt could not be written", fields...)
	case spool.EventFilePendingRemoval:
		d.log.Warn("a spool file that is no longer needed could not be removed; the removal is retried", fields...)
	}
}

// orphanLog opens the record of multipart uploads next to the spool's directory. The
// record is in memory when no directory can be written: a crash then leaves the parts
// of open streams to the bucket's lifecycle rule.
func orphanLog(c *config.Config, log *zap.Logger) *uploader.OrphanLog {
	l, err := uploader.OpenOrphanLog(c.Spool.Dir+orphansSuffix, log)
	if err != nil {
		log.Info("multipart uploads of streams are not recorded; after a crash, the bucket's lifecycle rule removes them", zap.Error(err))
		return uploader.NewVolatileOrphanLog(log)
	}
	return l
}

// drainSpool delivers the remaining objects until ctx ends, if shutdown.drain is set,
// and logs how many stay.
func (d *Daemon) drainSpool(ctx context.Context) {
	if d.spool == nil {
		return
	}
	if d.config().Shutdown.Drain {
		_ = d.spool.Drained(ctx) // the objects that are left are counted below
	}
	var objects int
	var bytes int64
	for _, u := range d.spool.Usage() {
		objects += u.Queued + u.Parked + u.Delivering + u.Dead
		bytes += u.QueuedBytes + u.ParkedBytes + u.DeliveringBytes + u.DeadBytes
	}
	bad := d.spool.Unrecovered()
	if objects+bad.Unreadable+bad.Quarantined == 0 {
		return
	}
	d.log.Info(
		"stopping with undelivered objects in the spool; they are delivered after the next start",
		zap.Int("objects", objects),
		zap.Int64("bytes", bytes),
		zap.Int("unreadable", bad.Unreadable),
		zap.Int("quarantined", bad.Quarantined),
	)
}
