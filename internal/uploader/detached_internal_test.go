package uploader

import (
	"context"
	"testing"
	"time"
)

// A call that continues without its caller has no total limit: progress decides. It ends
// with the uploader.
func TestDetachedCallsHaveNoDeadline(t *testing.T) {
	u := &Uploader{}
	u.life, u.end = context.WithCancel(t.Context())
	caller, cancel := context.WithTimeout(t.Context(), time.Hour)
	ctx, stop := u.detached(caller)
	defer stop()
	cancel()
	if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
		t.Error("the caller's deadline or its end reaches the call")
	}
	u.end()
	<-ctx.Done()
}
