package intake

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/brokerd/brokerd/internal/reason"
)

// DEADLINE is the caller's own; a time limit of the daemon is temporary.
func TestWhoseDeadlineItWas(t *testing.T) {
	own := fmt.Errorf("s3:CompleteMultipartUpload: %w", context.DeadlineExceeded)
	ended, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	for name, tc := range map[string]struct {
		ctx  context.Context
		want reason.Reason
	}{
		"the daemon's": {t.Context(), reason.AWSUnavailable},
		"the caller's": {ended, reason.Deadline},
	} {
		e := Classify(attribute(tc.ctx, own))
		if e.Reason != tc.want || (e.RetryAfter > 0) != tc.want.Retryable() {
			t.Errorf("%s: got %s, retry after %s, want %s", name, e.Reason, e.RetryAfter, tc.want)
		}
	}
}
