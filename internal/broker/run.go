package broker

import (
	"context"
	"time"

	"go.uber.org/zap"
)

// maxSleep bounds how long a suspended machine or a stepped clock goes unnoticed:
// Go's timers stand still in both cases, the wall clock does not.
const maxSleep = 5 * time.Second

// Run primes the sessions and refreshes them until ctx ends, then lets open
// flights finish for at most 5 s. It returns nil.
func (b *Broker) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			b.stop()
			return nil
		case <-b.wakeup:
		case <-timer.C:
		}
		timer.Reset(b.refreshDue())
		b.beat.Store(time.Now().UnixNano())
	}
}

// refreshDue starts the flights that are due and says how long to sleep.
func (b *Broker) refreshDue() time.Duration {
	sleep := maxSleep
	for _, e := range b.set.Load().pinned {
		at := e.nextAction()
		if at.IsZero() {
			continue
		}
		if wait := at.Sub(time.Now().Round(0)); wait > 0 {
			sleep = min(sleep, wait)
			continue
		}
		_, _ = b.join(e, false) // its error is kept in the entry
	}
	return sleep
}

// Heartbeat is when the scheduler last looked at its sessions; zero before it
// runs. A live one looks every five seconds at least.
func (b *Broker) Heartbeat() time.Time {
	if n := b.beat.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

func (b *Broker) wake() {
	select {
	case b.wakeup <- struct{}{}:
	default:
	}
}

func (b *Broker) stop() {
	b.stopMu.Lock()
	b.stopped = true
	b.stopMu.Unlock()
	done := make(chan struct{})
	go func() { b.flights.Wait(); close(done) }()
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
	b.cancel()
	<-done
}

// observe logs a change, not every repetition of it at the same level.
func (b *Broker) observe(e *entry, err error, took time.Duration) {
	var users []string
	now := b.set.Load()
	for _, name := range now.names {
		if now.targets[name].entry == e {
			users = append(users, name)
		}
	}
	cur := e.cur.Load()
	if b.observer != nil {
		b.observer.SessionRefreshed(users, cur, err, took)
	}
	if err == nil {
		b.log.Info("session refreshed", zap.Strings("destinations", users), zap.String("identity", cur.AssumedRoleARN),
			zap.Time("expires", cur.Expires), zap.Time("refresh_at", cur.RefreshAt), zap.Uint64("generation", cur.Generation), zap.Duration("took", took))
		return
	}
	fields := []zap.Field{zap.Strings("destinations", users), zap.String("role", e.req.Role), zap.Error(err), zap.Duration("took", took)}
	if left := e.remaining(); left > 0 {
		b.log.Warn("session refresh failed; the present session stays in use", append(fields, zap.Duration("life_left", left))...)
		return
	}
	b.log.Error("session refresh failed; there is no valid session", fields...)
}
