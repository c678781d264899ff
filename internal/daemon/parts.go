package daemon

import (
	"fmt"
	"maps"
	"slices"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/monitor"
	"github.com/brokerd/brokerd/internal/spool"
	"github.com/brokerd/brokerd/internal/telemetry"
)

// reloadable is a part that follows the configuration file. Prepare does
// everything that can fail, and changes nothing that a caller could notice.
type reloadable interface {
	Prepare(*config.Config) (config.Change, error)
}

// reloadAll moves all parts to c, in their order, or none.
func reloadAll(c *config.Config, parts ...reloadable) error {
	changes := make([]config.Change, 0, len(parts))
	for _, p := range parts {
		change, err := p.Prepare(c)
		if err != nil {
			for _, prepared := range slices.Backward(changes) {
				prepared.Discard()
			}
			return err
		}
		changes = append(changes, change)
	}
	for _, change := range changes {
		change.Commit()
	}
	return nil
}

// commit is the change of a part that makes nothing to discard.
type commit func()

func (c commit) Commit() { c() }
func (commit) Discard()  {}

// spoolPart reloads the limits of the spool; spool is nil when no destination
// spooled at the start.
type spoolPart struct{ spool *spool.Spool }

// Prepare implements reloadable.
func (p spoolPart) Prepare(c *config.Config) (config.Change, error) {
	if p.spool == nil {
		if c.Spools() {
			return nil, fmt.Errorf(
				"a destination has durability spool or spool-wait, and none had when the daemon started: %w",
				config.ErrNeedsRestart,
			)
		}
		return commit(func() {}), nil
	}
	return commit(func() {
		p.spool.Reload(spoolLimits(c), int64(c.Spool.Max), mostOfAUser(c), int64(c.Spool.MinFree))
	}), nil
}

// levelPart reloads the log's level.
type levelPart struct{ level zap.AtomicLevel }

// Prepare implements reloadable.
func (p levelPart) Prepare(c *config.Config) (config.Change, error) {
	level, err := telemetry.ParseLevel(c.Log.Level)
	if err != nil {
		return nil, err
	}
	return commit(func() { p.level.SetLevel(level) }), nil
}

// monitorPart reloads the interval and the destinations of the daemon's own
// verification. Destinations that differ from old are verified soon.
type monitorPart struct {
	monitor *monitor.Monitor
	old     *config.Config
}

// Prepare implements reloadable.
func (p monitorPart) Prepare(c *config.Config) (config.Change, error) {
	changed := config.Compare(p.old, c).Changed
	return commit(func() {
		p.monitor.Adopt(c.Verify.Every.Std(), slices.Collect(maps.Keys(c.Destinations)), changed)
	}), nil
}
