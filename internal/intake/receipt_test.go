package intake

import (
	"errors"
	"syscall"
	"testing"

	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/spool"
)

// The object is in S3: a receipt that cannot be read now is no reason to give up.
func TestAReceiptThatCannotBeReadNowIsATemporaryError(t *testing.T) {
	for errno, want := range map[syscall.Errno]reason.Reason{syscall.EMFILE: reason.TooManyFiles, syscall.ENFILE: reason.TooManyFiles,
		syscall.EIO: reason.SpoolFailed} {
		st := spool.Status{ID: "01KAW3P5E2M9W7V5C1J0X8T4RQ", State: spool.Delivered,
			Err: &spool.IOError{Op: "open", Name: "receipts/1.log", Err: errno}}
		_, err := outcomeOf(st)
		var got *reason.Error
		if !errors.As(err, &got) || got.Reason != want || got.RetryAfter == 0 || got.Metadata["upload_id"] != st.ID {
			t.Errorf("%v: got %+v, want a retryable %s", errno, err, want)
		}
	}
}
