package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
)

const (
	defaultRetry = 2 * time.Minute
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// worthRetrying reports whether the same upload may succeed later: the daemon does not
// answer, or it says when to come again.
func worthRetrying(err error) bool {
	var e *Error
	var final *finalError
	if !errors.As(err, &e) || errors.As(err, &final) {
		return false
	}
	return e.Code == codes.Unavailable || e.RetryAfter > 0
}

// retrying calls try until it succeeds, fails for good, or most has passed since it
// first failed. It calls before ahead of each retry.
func retrying(
	ctx context.Context,
	most time.Duration,
	again func() bool,
	before func(err error, pause time.Duration),
	try func() error,
) error {
	var failed time.Time
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := try()
		if err == nil || most <= 0 || !worthRetrying(err) || ctx.Err() != nil || !again() {
			return err
		}
		if failed.IsZero() {
			failed = time.Now()
		}
		var e *Error
		errors.As(err, &e)
		wait := max(pause/2+rand.N(pause/2), e.RetryAfter)
		if time.Since(failed)+wait > most {
			return err
		}
		if before != nil {
			before(err, wait)
		}
		if !sleep(ctx, wait) {
			return err
		}
	}
}

// sleep reports whether it slept to its end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
