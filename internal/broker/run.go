package broker

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"
)

const (
	// maxSleep is how soon the scheduler notices a suspended host or a clock that was
	// set: Go's timers stand still in both cases, the wall clock does not.
	maxSleep = 5 * time.Second
	// workers is how many background refreshes run at a time. A role that hangs blocks
	// one of them. Callers do not wait for workers.
	workers = 4
	// jumpNoise is how far the wall clock and the monotonic clock may drift apart during
	// one sleep.
	jumpNoise = 2 * time.Second
)

// Run fetches the sessions and refreshes them until ctx ends. It then waits at most 5 s
// for open flights, and returns nil.
func (b *Broker) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			b.stop()
			return nil
		case <-b.wakeup:
		case <-timer.C:
		}
		now := time.Now()
		if jump(last, now).Abs() > jumpNoise && b.clock.wallClockJumped() {
			b.scheduleAll()
		}
		last = now
		timer.Reset(b.refreshDue())
		b.beat.Store(time.Now().UnixNano())
	}
}

// refreshDue starts the flights that are due, the one with the least life first, while
// workers are free. It returns how long to sleep.
func (b *Broker) refreshDue() time.Duration {
	entries := b.queue.due(time.Now().Round(0))
	now := b.clock.now()
	slices.SortFunc(entries, func(x, y *entry) int {
		return int(min(max(x.remaining(now)-y.remaining(now), -1), 1))
	})
	for i, e := range entries {
		if b.busy.Load() >= workers {
			for _, rest := range entries[i:] {
				b.queue.schedule(rest, func() time.Time { return rest.nextAction(b.clock.skew()) })
			}
			return maxSleep // a worker that ends wakes the scheduler
		}
		b.busy.Add(1)
		due := func() bool {
			at := e.actionAt(b.clock.skew())
			return !at.IsZero() && !at.After(time.Now())
		}
		if _, started, _ := b.join(e, due, func() { b.busy.Add(-1) }); !started {
			b.busy.Add(-1)
			b.queue.schedule(e, func() time.Time { return e.nextAction(b.clock.skew()) })
		}
	}
	if at, ok := b.queue.next(); ok {
		return min(maxSleep, max(time.Until(at), time.Millisecond))
	}
	return maxSleep
}

// schedule queues the entry for its next refresh, and wakes the scheduler.
func (b *Broker) schedule(e *entry) {
	b.queue.schedule(e, func() time.Time { return e.nextAction(b.clock.skew()) })
	b.wake()
}

// scheduleAll queues all entries again after a change of the clock.
func (b *Broker) scheduleAll() {
	for _, e := range b.queue.entries() {
		b.schedule(e)
	}
}

// Heartbeat returns the time of the scheduler's last pass; zero before Run. The
// scheduler makes a pass at least every five seconds.
func (b *Broker) Heartbeat() time.Time {
	if n := b.beat.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

func (b *Broker) wake() {
	select {
	case b.wakeup <- struct{}{}:
	default: // a wake-up is pending, and the scheduler checks every entry
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
	b.forget()
}

// forget drops all secrets. It cannot wipe their memory: Go's strings cannot be
// overwritten.
func (b *Broker) forget() {
	for _, e := range b.set.Load().pinned {
		e.cur.Store(nil)
	}
	for _, e := range b.variants.Values() {
		e.cur.Store(nil)
	}
	b.variants.Purge()
}

// observe reports a finished refresh to the log and the observer.
func (b *Broker) observe(e *entry, err error, took time.Duration) {
	var users []string
	now := b.set.Load()
	for _, name := range now.names {
		if t := now.targets[name]; t.entry == e || e.variant && t.entry.key == e.base {
			users = append(users, name)
		}
	}
	cur := e.cur.Load()
	log := b.log
	if e.variant {
		log = log.With(zap.String("peer", e.peer))
	}
	if b.observer != nil {
		b.observer.SessionRefreshed(users, cur, err, took)
	}
	if err == nil {
		log.Info(
			"session refreshed",
			zap.Strings("destinations", users),
			zap.String("identity", cur.AssumedRoleARN),
			zap.Time(
				"expires",
				cur.Expires,
			),
			zap.Time("refresh_at", cur.RefreshAt),
			zap.Uint64("generation", cur.Generation),
			zap.Duration("took", took),
		)
		return
	}
	fields := []zap.Field{zap.Strings("destinations", users), zap.String("role", e.req.Role), zap.Error(err), zap.Duration("took", took)}
	if left := e.remaining(b.clock.now()); left > 0 {
		log.Warn("session refresh failed; the current session stays in use", append(fields, zap.Duration("life_left", left))...)
		return
	}
	log.Error("session refresh failed; there is no valid session", fields...)
}
