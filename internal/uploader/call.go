package uploader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/awserr"
	"github.com/brokerd/brokerd/internal/broker"
)

const (
	// tries is how often a request is sent before its caller gets a temporary failure.
	tries = 4
	// maxRetryAfter is the longest Retry-After of a store that is waited for here. The
	// caller has to keep a longer one.
	maxRetryAfter = 10 * time.Second
)

// call makes one request and counts its attempts. It retries temporary failures with
// growing pauses. After a refusal for an expired session it waits for the session's
// replacement and tries again, once.
func (u *Uploader) call(ctx context.Context, to *destination, op string, fn func(context.Context) error) (attempts int, err error) {
	var (
		name      = to.cfg.Name
		pause     = backoff.NewExponentialBackOff()
		refreshed bool
	)
	pause.InitialInterval, pause.Multiplier, pause.MaxInterval = 100*time.Millisecond, 2.5, 5*time.Second
	for {
		used, err := to.credentials.Retrieve(ctx)
		if err != nil {
			return attempts, err
		}
		attempts++
		if err = fn(ctx); err == nil {
			return attempts, nil
		}
		var source *sourceError
		if errors.As(err, &source) {
			return attempts, fmt.Errorf("destination %q: %s: %w", name, op, source)
		}
		var noSession *broker.Error
		if errors.As(err, &noSession) {
			return attempts, noSession
		}
		info := awserr.Classify(err, "s3")
		if ctx.Err() != nil && (info.Class == awserr.Canceled || info.Class == awserr.Network) {
			return attempts, fmt.Errorf("destination %q: %s: %w", name, op, context.Cause(ctx))
		}
		failure := &Error{Destination: name, Op: op, Reason: reasonOf(info.Class), Info: info, After: retryAfter(err), Err: err}
		again := attempts < tries && info.Class != awserr.NoSuchUpload
		switch info.Disposition() {
		case awserr.RefreshThenRetry:
			u.sessions.Invalidate(name, used.AccessKeyID)
			if refreshed {
				return attempts, failure
			}
			refreshed = true
			if _, rerr := u.sessions.AwaitReplacement(ctx, name, used.AccessKeyID); rerr != nil {
				return attempts, failure
			}
			continue
		case awserr.Retry:
		default:
			// The S3 client has taken over the store's clock from the refusal.
			again = again && info.Class == awserr.ClockSkew && attempts == 1
		}
		if !again || failure.After > maxRetryAfter {
			return attempts, failure
		}
		next := pause.NextBackOff()
		if info.Class == awserr.Throttle {
			next *= 5
		}
		select {
		case <-time.After(max(next, failure.After)):
		case <-ctx.Done():
			return attempts, failure
		}
	}
}

// retryAfter returns how long the store asked to wait; 0: not stated.
func retryAfter(err error) time.Duration {
	var asks interface {
		error
		RetryAfter() time.Duration
	}
	if errors.As(err, &asks) {
		return asks.RetryAfter()
	}
	return 0
}

// refusedAs reports whether err is a refusal of class c.
func refusedAs(err error, c awserr.Class) bool {
	var e *Error
	return errors.As(err, &e) && e.Info.Class == c
}

// dropCondition reports whether a compatible store failed because it does not
// implement conditional writes. The destination then stops sending them.
func (u *Uploader) dropCondition(to *destination, err error) bool {
	var e *Error
	if !to.cfg.Compatible || to.condition() == "" || !errors.As(err, &e) || e.Info.Code != "NotImplemented" {
		return false
	}
	to.noConditionalWrites.Store(true)
	u.log.Warn("the store does not implement If-None-Match: a retry may store an object twice in a versioned bucket",
		zap.String("destination", to.cfg.Name), zap.Error(err))
	return true
}
