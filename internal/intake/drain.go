package intake

import (
	"context"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
)

// retryAfter is the delay that a sender is told when the source of an error names none.
const retryAfter = 2 * time.Second

// closed returns an error when the daemon takes no new uploads now.
func (in *Intake) closed() error {
	switch {
	case in.stopping.Load():
		return reason.New(reason.ShuttingDown, "the daemon is stopping and takes no new uploads").After(retryAfter)
	case in.draining.Load():
		return reason.New(reason.Draining, "the daemon is being drained and takes no new uploads; 'brokerctl drain --resume' ends that").
			After(retryAfter)
	default:
		return nil
	}
}

// Drain refuses new uploads until Resume.
func (in *Intake) Drain() { in.draining.Store(true) }

// Resume takes new uploads again.
func (in *Intake) Resume() { in.draining.Store(false) }

// Draining reports whether new uploads are refused because of Drain.
func (in *Intake) Draining() bool { return in.draining.Load() }

// Stop refuses new uploads for good, and ends the calls that only wait. Open uploads go on.
func (in *Intake) Stop() {
	in.stopping.Store(true)
	in.endWait()
}

// Stopping reports whether Stop was called.
func (in *Intake) Stopping() bool { return in.stopping.Load() }

// Waiting ends when Stop is called. Calls that only wait end with it.
func (in *Intake) Waiting() context.Context { return in.waiting }

// Close ends the idle goroutines. Call it after the last upload has ended.
func (in *Intake) Close() { in.readers.close() }

// Remaining counts the work that a drain waits for, and the objects that stay.
type Remaining struct {
	OpenUploads int
	Queued      int // in the spool, in delivery included
	QueuedBytes int64
	Parked      int
	Dead        int
	Problems    spool.Unrecovered // files of accepted objects that cannot be delivered
}

// Done reports whether a drain has nothing to wait for.
func (r Remaining) Done() bool { return r.OpenUploads == 0 && r.Queued == 0 }

// Remaining returns the counts of this moment.
func (in *Intake) Remaining() Remaining {
	_, open := in.o.Admission.Used()
	out := Remaining{OpenUploads: open}
	if in.o.Spool == nil {
		return out
	}
	out.Problems = in.o.Spool.Unrecovered()
	for _, u := range in.o.Spool.Usage() {
		out.Queued += int(u.Queued + u.Delivering)
		out.QueuedBytes += u.QueuedBytes + u.DeliveringBytes
		out.Parked += int(u.Parked)
		out.Dead += int(u.Dead)
	}
	return out
}
