package daemon

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/rpc"
	"github.com/brokerd/brokerd/internal/telemetry"
	"github.com/brokerd/brokerd/internal/verify"
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

// catchHangups makes SIGHUP a request to reload; without it the process would end.
func catchHangups() (signals chan os.Signal, stop func()) {
	signals = make(chan os.Signal, 1) // one more that comes meanwhile reads the same file
	signal.Notify(signals, syscall.SIGHUP)
	return signals, func() { signal.Stop(signals) }
}

// Reload reads the configuration file again and takes it over, whole or not at
// all. Destinations that are as they were keep their sessions; open uploads end
// as they began.
func (d *Daemon) Reload() (rpc.Changes, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.notify.reloading()
	done, err := d.reload()
	d.notify.send(daemon.SdNotifyReady)
	if err != nil {
		d.log.Error("the configuration was not reloaded; nothing was changed", zap.Error(err))
		return done, err
	}
	d.log.Info("configuration reloaded", zap.Strings("added", done.Added), zap.Strings("changed", done.Changed), zap.Strings("removed", done.Removed), zap.Strings("unchanged", done.Unchanged))
	return done, nil
}

func (d *Daemon) reload() (rpc.Changes, error) {
	was := d.config()
	next, err := config.Load(was.Path)
	if err != nil {
		return rpc.Changes{}, err
	}
	if fields := was.RestartNeeded(next); len(fields) > 0 {
		return rpc.Changes{}, fmt.Errorf("%s: %s changed: %w", next.Path, strings.Join(fields, ", "), rpc.ErrNeedsRestart)
	}
	rules, err := access.New(next.Access, uint32(os.Geteuid()), access.SystemResolver())
	if err != nil {
		return rpc.Changes{}, fmt.Errorf("%s: %w", next.Path, err)
	}
	adopt, err := d.desk.Prepare(next, rules)
	if err != nil {
		return rpc.Changes{}, fmt.Errorf("%s: %w", next.Path, err)
	}
	verifier, err := verify.New(verify.Options{Config: next, Sessions: d.broker, HTTPClient: d.http, Leftovers: d.leftovers})
	if err != nil {
		return rpc.Changes{}, fmt.Errorf("making the verifier: %w", err)
	}
	level, err := telemetry.ParseLevel(next.Log.Level)
	if err != nil {
		return rpc.Changes{}, err
	}
	if next.Spools() && d.spool == nil {
		return rpc.Changes{}, fmt.Errorf("%s: a destination has durability spool or spool-wait, and none had when the daemon started: %w", next.Path, rpc.ErrNeedsRestart)
	}
	reach, err := d.upload.Prepare(next)
	if err != nil {
		return rpc.Changes{}, fmt.Errorf("%s: %w", next.Path, err)
	}
	// From here on nothing fails but the broker, which then has changed nothing.
	// A destination has its session before it takes uploads, and takes none before
	// its session goes.
	if err := d.broker.Reload(next); err != nil {
		return rpc.Changes{}, err
	}
	reach()
	if d.spool != nil {
		d.spool.Reload(spoolLimits(next), int64(next.Spool.Max), int64(next.Spool.MaxPerUID), int64(next.Spool.MinFree))
	}
	d.verifier.Store(verifier)
	d.server.Adopt(next, rules)
	adopt()
	d.level.SetLevel(level)
	d.cfg.Store(next)
	done := changes(was, next)
	d.patrol.Adopt(next.Verify.Every.Std(), slices.Collect(maps.Keys(next.Destinations)), done.Changed)
	for _, w := range next.Warnings() {
		d.log.Warn("configuration: " + w)
	}
	return done, nil
}

// changes compares destinations. Who is known to AWS, and where it is, is part of each.
func changes(was, next *config.Config) rpc.Changes {
	var out rpc.Changes
	for name, d := range next.Destinations {
		old := was.Destinations[name]
		switch {
		case old == nil:
			out.Added = append(out.Added, name)
		case !old.Same(d) || was.AWS != next.AWS:
			out.Changed = append(out.Changed, name)
		default:
			out.Unchanged = append(out.Unchanged, name)
		}
	}
	for name := range was.Destinations {
		if next.Destinations[name] == nil {
			out.Removed = append(out.Removed, name)
		}
	}
	for _, list := range [][]string{out.Added, out.Changed, out.Removed, out.Unchanged} {
		slices.Sort(list)
	}
	return out
}

// reloading tells systemd, which wants the time by the clock that never steps.
func (n notifier) reloading() {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		n.log.Warn("reading the clock for systemd failed", zap.Error(err))
		return
	}
	n.send(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, ts.Nano()/1000))
}

// currentVerifier is swapped by a reload; a verification ends as it began.
type currentVerifier = atomic.Pointer[verify.Verifier]
