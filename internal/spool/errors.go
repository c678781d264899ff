package spool

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

var (
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the spool is closed")
	// ErrUnknown is returned for an id without an object: it was never accepted,
	// was dropped, or its receipt has expired.
	ErrUnknown = errors.New("no such object in the spool")
	// ErrUnknownDestination refuses an object for a destination that is not configured.
	ErrUnknownDestination = errors.New("destination is not configured")
	// ErrConflict refuses an id that belongs to another user or destination.
	ErrConflict = errors.New("the id belongs to another object")
	// ErrState is returned when the state of an object does not allow the operation.
	ErrState = errors.New("not possible in this state")
	// ErrSize is returned for a body that is longer or shorter than announced.
	ErrSize = errors.New("the body is not as long as announced")
)

// Quota names the limit that was reached.
type Quota string

// The quotas of a spool.
const (
	QuotaTotal            Quota = "total bytes of the spool"
	QuotaDestinationBytes Quota = "bytes of the destination"
	QuotaDestinationFiles Quota = "files of the destination"
	QuotaUser             Quota = "bytes of the user"
	QuotaFree             Quota = "free space to keep on the file system"
	QuotaDisk             Quota = "file system" // the system's own answer: ENOSPC or EDQUOT
)

// FullError reports that the spool has no room for an object. The object was not
// accepted.
type FullError struct {
	Which       Quota
	Destination string
	Limit, Used int64         // bytes or files; 0 when the file system is full
	RetryAfter  time.Duration // 0: the object is larger than the limit, waiting does not help
	Err         error         // the system's error, if there was one
}

func (e *FullError) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("the spool is full: %v", e.Err)
	case e.RetryAfter == 0:
		return fmt.Sprintf("the object does not fit into the spool: the %s may be %d at most", e.Which, e.Limit)
	default:
		return fmt.Sprintf("the spool is full: %d of %d %s are used", e.Used, e.Limit, e.Which)
	}
}

// Unwrap returns the system's error.
func (e *FullError) Unwrap() error { return e.Err }

// IOError reports an operation of the file system that failed. Its object was not
// accepted, or stays as it was. The spool goes on.
type IOError struct {
	Op   string // "create", "write", "sync", "rename", "sync directory", …
	Name string // relative to the spool's directory
	Err  error
}

func (e *IOError) Error() string { return fmt.Sprintf("spool: %s %s: %v", e.Op, e.Name, e.Err) }

// Unwrap returns the system's error.
func (e *IOError) Unwrap() error { return e.Err }

// CorruptError reports bytes on disk that differ from the accepted ones.
type CorruptError struct {
	ID  string
	Off int64 // offset of the damaged segment; -1: the footer
	Why string
}

func (e *CorruptError) Error() string {
	if e.Off < 0 {
		return fmt.Sprintf("spooled object %s is damaged: %s", e.ID, e.Why)
	}
	return fmt.Sprintf("spooled object %s is damaged in the segment at byte %d: %s", e.ID, e.Off, e.Why)
}

// UnsafeError refuses a directory on a file system that may lose accepted objects.
type UnsafeError struct {
	Dir, FileSystem, Why string
}

func (e *UnsafeError) Error() string {
	return fmt.Sprintf(
		"%s is on %s: %s; put the spool on a local disk (ext4, xfs, btrfs), or set spool.allow_volatile to accept that loss",
		e.Dir,
		e.FileSystem,
		e.Why,
	)
}

// LockedError reports that another process uses the directory.
type LockedError struct {
	Dir, Holder string // Holder is the text that the process wrote into the lock file; may be empty
}

func (e *LockedError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("the spool %s is used by another process", e.Dir)
	}
	return fmt.Sprintf("the spool %s is used by %s", e.Dir, e.Holder)
}

// ioError returns a *FullError for a full disk and an *IOError for other errors.
func ioError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	e := &IOError{Op: op, Name: name, Err: err}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &FullError{Which: QuotaDisk, RetryAfter: retryAfterFull, Err: e}
	}
	return e
}
