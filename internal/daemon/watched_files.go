package daemon

import (
	"context"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/watch"
	watchdelivery "github.com/brokerd/brokerd/internal/watch/delivery"
)

// newWatches makes the watches of the configuration.
func newWatches(c *config.Config, s *watchdelivery.Sender, log *zap.Logger) (*watch.Manager, error) {
	return watch.New(watch.Options{
		Config: c, Owner: watchdelivery.Owner, Sender: s, Logger: log, Journal: watchdelivery.Journal(c), Hints: watch.NewHints,
	})
}

// runWatches delivers watched files until ctx ends. Files in flight finish before life ends.
func (d *Daemon) runWatches(ctx, life context.Context) error {
	defer close(d.watched)
	return d.watches.Run(ctx, life)
}

// awaitWatches waits for the watched files in flight, or for ctx.
func (d *Daemon) awaitWatches(ctx context.Context) {
	select {
	case <-d.watched:
	case <-ctx.Done():
	}
}
