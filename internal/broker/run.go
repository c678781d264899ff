package broker

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"
)

const (
	// maxSleep bounds how long a suspended machine or a stepped clock goes unnoticed:
	// Go's timers stand still in both cases, the wall clock does not.
	maxSleep = 5 * time.Second
	// workers is how many background refreshes run at a time. A role that hangs
	// holds up one of them, and no caller: those do not queue here.
	workers = 4
	// stepNoise is how far wall clock and monotonic clock may drift apart in a nap.
	stepNoise = 2 * time.Second
)

// Run primes the sessions and refreshes them until ctx ends, then lets open
// flights finish for at most 5 s. It returns nil.
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
		if steps(last, now).Abs() > stepNoise && b.clock.stepped() {
			b.planAll()
		}
		last = now
		timer.Reset(b.refreshDue())
		b.beat.Store(time.Now().UnixNano())
	}
}

// refreshDue starts the flights that are due, the one with the least life first,
// as far as workers are free, and says how long to sleep.
func (b *Broker) refreshDue() time.Duration {
	entries := b.agenda.due(time.Now().Round(0))
	now := b.clock.now()
	slices.SortFunc(entries, func(x, y *entry) int {
		return int(min(max(x.remaining(now)-y.remaining(now), -1), 1))
	})
	for i, e := range entries {
		if b.busy.Load() >= workers {
			for _, rest := range entries[i:] {
				b.agenda.plan(rest, func() time.Time { return rest.nextAction(b.clock.skew()) })
			}
			return maxSleep // a worker that gets free wakes the scheduler
		}
		b.busy.Add(1)
		due := func() bool {
			at := e.actionAt(b.clock.skew())
			return !at.IsZero() && !at.After(time.Now())
		}
		if _, started, _ := b.join(e, due, func() { b.busy.Add(-1) }); !started {
			b.busy.Add(-1)
			b.agenda.plan(e, func() time.Time { return e.nextAction(b.clock.skew()) })
		}
	}
	if at, ok := b.agenda.next(); ok {
		return min(maxSleep, max(time.Until(at), time.Millisecond))
	}
	return maxSleep
}

// plan puts the entry on the agenda for when it is due next, and wakes the scheduler.
func (b *Broker) plan(e *entry) {
	b.agenda.plan(e, func() time.Time { return e.nextAction(b.clock.skew()) })
	b.wake()
}

// planAll follows a change of the clock.
func (b *Broker) planAll() {
	for _, e := range b.agenda.entries() {
		b.plan(e)
	}
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
	default: // one is pending already, and the scheduler looks at everything
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

// forget lets go of all secrets. The bytes are the runtime's to overwrite: Go's
// strings cannot be wiped.
func (b *Broker) forget() {
	for _, e := range b.set.Load().pinned {
		e.cur.Store(nil)
	}
	for _, e := range b.variants.Values() {
		e.cur.Store(nil)
	}
	b.variants.Purge()
}

// observe logs a change, not every repetition of it at the same level.
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
		log = log.With(zap.String("handed_to", e.peer))
	}
	if b.observer != nil {
		b.observer.SessionRefreshed(users, cur, err, took)
	}
	if err == nil {
		log.Info("session refreshed", zap.Strings("destinations", users), zap.String("identity", cur.AssumedRoleARN),
			zap.Time("expires", cur.Expires), zap.Time("refresh_at", cur.RefreshAt), zap.Uint64("generation", cur.Generation), zap.Duration("took", took))
		return
	}
	fields := []zap.Field{zap.Strings("destinations", users), zap.String("role", e.req.Role), zap.Error(err), zap.Duration("took", took)}
	if left := e.remaining(b.clock.now()); left > 0 {
		log.Warn("session refresh failed; the present session stays in use", append(fields, zap.Duration("life_left", left))...)
		return
	}
	log.Error("session refresh failed; there is no valid session", fields...)
}
