package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/broker"
)

// schedulerDead is how long the broker's scheduler may be silent.
const schedulerDead = 30 * time.Second

// watch publishes health, reports READY once, and feeds systemd's watchdog.
func (d *Daemon) watch(ctx context.Context) error {
	beat, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("reading the watchdog's interval: %w", err)
	}
	every := healthEvery
	if beat > 0 {
		every = min(every, beat/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	started := time.Now()
	told, ready := "", false
	var memory memoryReleaser
	for {
		statuses := d.broker.Statuses()
		d.server.UpdateHealth()
		if !ready && (primed(statuses) || time.Since(started) > primeTimeout) {
			ready = true
			d.notify.send(daemon.SdNotifyReady)
			d.log.Info("ready", zap.Duration("took", time.Since(started)))
		}
		if status := summary(statuses) + d.troubles(); ready && status != told {
			d.notify.send("STATUS=" + status)
			told = status
		}
		// systemd restarts a daemon whose scheduler hangs. An outage of AWS is no reason
		// for a restart and does not count.
		if beat > 0 && time.Since(d.broker.Heartbeat()) < schedulerDead {
			d.notify.send(daemon.SdNotifyWatchdog)
		}
		if ready {
			_, uploads := d.budget.Used()
			memory.check(uploads > 0)
		}
		wait := tick.C
		if !ready {
			// The first sessions arrive within a fraction of a second: check again soon.
			wait = time.After(10 * time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wait:
		}
	}
}

// primed reports whether the first attempt for every destination has ended.
func primed(statuses []broker.Status) bool {
	for _, s := range statuses {
		if s.State == broker.StateEmpty && s.LastError == "" {
			return false
		}
	}
	return true
}

// troubles returns the parts of the systemd status that concern no session.
func (d *Daemon) troubles() string {
	text := ""
	if d.spool != nil {
		if n := d.spool.Unrecovered().Unreadable; n > 0 {
			text += fmt.Sprintf("; %d accepted objects in the spool cannot be read", n)
		}
	}
	if !d.log.Stats().StalledSince.IsZero() {
		text += "; the reader of the log stands still"
	}
	return text
}

func summary(statuses []broker.Status) string {
	good := 0
	for _, s := range statuses {
		if s.State == broker.StateFresh || s.State == broker.StateDue {
			good++
		}
	}
	if good == len(statuses) {
		return fmt.Sprintf("%d destinations, all with a session", good)
	}
	return fmt.Sprintf("DEGRADED: %d of %d destinations have a session", good, len(statuses))
}

// notifier sends sd_notify messages, if systemd started the daemon.
type notifier struct{ log *zap.Logger }

func (n notifier) send(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Warn("sending a message to systemd failed", zap.String("state", state), zap.Error(err))
	}
}

func (n notifier) stopping() {
	n.send(daemon.SdNotifyStopping + "\nSTATUS=finishing open uploads")
}
