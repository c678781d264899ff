package intake

import (
	"context"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
	"github.com/brokerd/brokerd/internal/uploader"
)

// State is the progress of an upload.
type State int

// The states of an upload.
const (
	InProgress State = iota
	Stored           // S3 confirmed it
	Spooled          // it is on disk, and is delivered later
	Failed           // there is no object
	Dead             // it is on disk, and cannot be delivered as it is
)

// Upload describes one upload.
type Upload struct {
	ID, Destination, Name string
	UID                   uint32 // of the user who sent it
	State                 State
	Started               time.Time
	Stored                *uploader.Stored // when State is Stored; nil when its receipt cannot be read
	Reason                reason.Reason    // of the last failure
	Message               string           // of the last failure
	Tries                 int              // deliveries from the spool
	NextTry               time.Time
}

// Find describes an upload that the registry or the spool remembers.
func (in *Intake) Find(id string) (Upload, bool) {
	if rec, ok := in.uploads.get(id); ok {
		out := Upload{ID: rec.id, Destination: rec.destination, Name: rec.name, UID: rec.uid, Started: rec.started}
		switch {
		case rec.failure != nil:
			out.State, out.Reason, out.Message = Failed, rec.failure.Reason, rec.failure.Message
		case rec.ended:
			out.State, out.Stored = Stored, &rec.stored
		}
		return out, true
	}
	if in.o.Spool == nil {
		return Upload{}, false
	}
	st, ok := in.o.Spool.Status(id)
	if !ok {
		return Upload{}, false
	}
	out := Upload{ID: st.ID, Destination: st.Destination, Name: st.Name, UID: st.UID, State: Spooled, Started: st.Received, Tries: st.Attempts}
	if st.State == spool.Delivered {
		out.State = Stored
		if stored, err := receipt(st); err == nil {
			out.Stored = &stored
		}
		return out, true
	}
	if st.State == spool.Dead {
		out.State = Dead
	}
	out.Reason, out.Message, out.NextTry = st.LastReason, st.LastError, st.NextTry
	return out, true
}

// Await waits until an upload has ended, until most has passed, or until the daemon
// stops. Its error is that of ctx.
func (in *Intake) Await(ctx context.Context, id string, most time.Duration) error {
	if most <= 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	unhook := context.AfterFunc(in.waiting, cancel)
	defer unhook()
	if ended := in.uploads.ended(id); ended != nil {
		select {
		case <-ended:
		case <-limited.Done():
		}
	}
	if in.o.Spool != nil {
		// The upload may have moved to the spool meanwhile. The caller calls Find afterwards.
		if _, ok := in.o.Spool.Status(id); ok {
			_, _ = in.o.Spool.Wait(limited, id)
		}
	}
	return ctx.Err()
}
