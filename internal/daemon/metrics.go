package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/access"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/unixsock"
)

// measured reports whether metrics are served at all: those that are not scraped still
// cost time.
func measured(c *config.Config) bool { return c.Metrics.Address != "" || c.Metrics.Socket != "" }

// listenMetrics opens the listeners of the metrics. On the Unix socket, whose mode decides
// who may connect, the connections have a share for each user.
func (d *Daemon) listenMetrics(ctx context.Context) (out []net.Listener, err error) {
	cfg := d.config()
	defer func() {
		if err != nil {
			for _, l := range out {
				err = errors.Join(err, l.Close())
			}
			out = nil
		}
	}()
	if cfg.Metrics.Address != "" {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", cfg.Metrics.Address)
		if err != nil {
			return out, fmt.Errorf("listening for metrics: %w; change metrics.address, or leave it out", err)
		}
		d.log.Info("serving metrics", zap.String("url", "http://"+l.Addr().String()+"/metrics"))
		out = append(out, l)
	}
	if cfg.Metrics.Socket != "" {
		gid, err := socketGroup(cfg.Socket.Group)
		if err != nil {
			return out, err
		}
		l, err := unixsock.Listen(cfg.Metrics.Socket, os.FileMode(cfg.Socket.Mode), gid, d.log.Logger)
		if err != nil {
			return out, fmt.Errorf("listening for metrics: %w", err)
		}
		d.log.Info("serving metrics", zap.String("socket", cfg.Metrics.Socket))
		out = append(out, unixsock.Guard(l, d.admitScraper))
	}
	return out, nil
}

// admitScraper decides about a connection to the socket of the metrics.
func (d *Daemon) admitScraper(p access.Peer) (*quota.Charge, *reason.Error) {
	charge, err := d.budget.Quota().Take(quota.Party{UID: p.UID, Pod: p.Pod}, quota.Scrapes)
	if err != nil {
		return nil, reason.New(reason.TooManyConnections, "%s", err)
	}
	return charge, nil
}
