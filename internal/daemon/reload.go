package daemon

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/config"
)

// hangups reloads at every SIGHUP until ctx ends.
func (d *Daemon) hangups(ctx context.Context, signals <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-signals:
			_, _ = d.Reload() // it is logged
		}
	}
}

// catchHangups delivers SIGHUP as a request to reload. Otherwise SIGHUP would end the
// process.
func catchHangups() (signals chan os.Signal, stop func()) {
	signals = make(chan os.Signal, 1) // one more that comes meanwhile reads the same file
	signal.Notify(signals, syscall.SIGHUP)
	return signals, func() { signal.Stop(signals) }
}

// Reload reads the configuration file again and applies all of it, or none of it.
// Unchanged destinations keep their sessions. Open uploads end with the configuration
// that they began with.
func (d *Daemon) Reload() (config.Changes, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.notify.reloading()
	done, err := d.reload()
	d.notify.send(daemon.SdNotifyReady)
	if err != nil {
		d.log.Error("the configuration was not reloaded; nothing was changed", zap.Error(err))
		return done, err
	}
	d.log.Info(
		"configuration reloaded",
		zap.Strings("added", done.Added),
		zap.Strings("changed", done.Changed),
		zap.Strings("removed", done.Removed),
		zap.Strings("unchanged", done.Unchanged),
	)
	return done, nil
}

// reload prepares every part, and then commits every part. The broker comes first:
// a destination has its session before it takes uploads.
func (d *Daemon) reload() (config.Changes, error) {
	old := d.config()
	next, err := config.LoadWithEnvironment(old.Path)
	if err != nil {
		return config.Changes{}, err
	}
	if fields := old.RestartNeeded(next); len(fields) > 0 {
		return config.Changes{}, fmt.Errorf("%s: %s changed: %w", next.Path, strings.Join(fields, ", "), config.ErrNeedsRestart)
	}
	if err := reloadAll(next, d.broker, d.upload, spoolPart{d.spool}, d.verifier, d.server, d.creds, levelPart{d.log.Level},
		monitorPart{d.monitor, old}, d.watches); err != nil {
		return config.Changes{}, fmt.Errorf("%s: %w", next.Path, err)
	}
	d.cfg.Store(next)
	for _, w := range slices.Concat(next.Warnings(), next.FileWarnings()) {
		d.log.Warn("configuration: " + w)
	}
	return config.Compare(old, next), nil
}

// reloading tells systemd that a reload has begun, with the time of CLOCK_MONOTONIC.
func (n notifier) reloading() {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		n.log.Warn("reading the clock for systemd failed", zap.Error(err))
		return
	}
	n.send(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, ts.Nano()/1000))
}
