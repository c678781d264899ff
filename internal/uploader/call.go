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
	// tries is how often a request is sent before its caller hears of a failure
	// that may pass.
	tries = 4
	// patience is the longest that a store's wish to be left alone is waited out;
	// a longer one is the caller's to honour.
	patience = 10 * time.Second
)

// call makes one request and counts its attempts. What may pass is tried again,
// with growing pauses. A request that was refused for an expired session is
// signed anew, once, with the session that replaced it.
func (u *Uploader) call(ctx context.Context, l *lane, op string, fn func(context.Context) error) (attempts int, err error) {
	var (
		destination = l.dest.Name
		pause       = backoff.NewExponentialBackOff()
		refreshed   bool
	)
	pause.InitialInterval, pause.Multiplier, pause.MaxInterval = 100*time.Millisecond, 2.5, 5*time.Second
	for {
		used, err := l.credentials.Retrieve(ctx)
		if err != nil {
			return attempts, err
		}
		attempts++
		if err = fn(ctx); err == nil {
			return attempts, nil
		}
		var source *sourceError
		if errors.As(err, &source) {
			return attempts, fmt.Errorf("destination %q: %s: %w", destination, op, source)
		}
		var noSession *broker.Error
		if errors.As(err, &noSession) {
			return attempts, noSession
		}
		info := awserr.Classify(err, "s3")
		if ctx.Err() != nil && (info.Class == awserr.Canceled || info.Class == awserr.Network) {
			return attempts, fmt.Errorf("destination %q: %s: %w", destination, op, context.Cause(ctx))
		}
		failure := &Error{Destination: destination, Op: op, Reason: reasonOf(info.Class), Info: info, After: wait(err), Err: err}
		again := attempts < tries && info.Class != awserr.NoSuchUpload
		switch info.Disposition() {
		case awserr.RefreshThenRetry:
			u.sessions.Invalidate(destination, used.AccessKeyID)
			if refreshed {
				return attempts, failure
			}
			refreshed = true
			if _, rerr := u.sessions.Replaced(ctx, destination, used.AccessKeyID); rerr != nil {
				return attempts, failure
			}
			continue
		case awserr.Retry:
		default:
			// The client has learned the store's clock from the refusal.
			again = again && info.Class == awserr.ClockSkew && attempts == 1
		}
		if !again || failure.After > patience {
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

// wait is how long the store wants to be left alone.
func wait(err error) time.Duration {
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

// tryWithoutCondition says whether a compatible store failed because it does not
// know conditional writes. From then on the lane does without.
func (u *Uploader) tryWithoutCondition(l *lane, err error) bool {
	var e *Error
	if !l.dest.Compatible || l.condition() == "" || !errors.As(err, &e) || e.Info.Code != "NotImplemented" {
		return false
	}
	l.blind.Store(true)
	u.log.Warn("the store knows no If-None-Match: a retry may store an object twice in a versioned bucket",
		zap.String("destination", l.dest.Name), zap.Error(err))
	return true
}
