package watch

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
)

// Upload is a file on its way.
type Upload struct {
	ID                string    // of the upload; decided by the file alone
	Time              time.Time // of the id; sets the date parts of the key
	Destination, Name string
	UID, GID          uint32 // of the file
	Spool             bool   // the spool's acknowledgement is enough
	File              *os.File
	Size              int64
	// Unchanged is called when all bytes were read. After its error there is no object.
	Unchanged func() error
}

// Sent is a delivered file.
type Sent struct {
	CRC32C  uint32 // of the file's bytes; not known when Existed is true
	Key     string
	Spooled bool // the spool has it, S3 does not yet
	Existed bool // an earlier try had stored it
}

// Sender delivers files. Its methods may be called from several goroutines.
type Sender interface {
	// Send delivers a file. Its error is a *Failure, or that of ctx.
	Send(ctx context.Context, u Upload) (Sent, error)
	// Key returns the key that the object of u gets. File is not read.
	Key(u Upload) (string, error)
}

// Kind is the scope of a failure.
type Kind int

// The kinds. The zero value concerns the file alone, and is retried.
const (
	RetryFile Kind = iota
	// Pause: the next file would fail as well. The cause may pass by itself, or needs a repair.
	Pause
	// Busy: the daemon takes no upload now. Nothing failed.
	Busy
	// Changed: the file changed while it was read.
	Changed
	// Dead: this file can never be delivered as it is.
	Dead
)

// Failure is a delivery that failed.
type Failure struct {
	Kind    Kind
	Reason  reason.Reason
	Message string
	After   time.Duration // the least time to the next try; 0: not stated
}

// Error returns the reason and the text for people.
func (f *Failure) Error() string { return fmt.Sprintf("%s: %s", f.Reason, f.Message) }
