package daemon

import (
	"context"
	"net"
	"net/http"
	"os"

	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/quota"
	"github.com/brokerd/brokerd/internal/unixsock"
	"github.com/brokerd/brokerd/internal/vend"
)

// endpoints returns the HTTP listeners that issue credentials.
func endpoints(cfg *config.Config, service *vend.Service, log *zap.Logger, lines *quota.Lines) []*vend.Endpoint {
	var out []*vend.Endpoint
	if address := cfg.Vend.Address; address != "" {
		out = append(out, &vend.Endpoint{
			Name: "vend.address", Log: log,
			Listen: func(ctx context.Context) (net.Listener, error) { return vend.ListenLoopback(ctx, address) },
			Handler: func(a net.Addr) http.Handler {
				return &vend.Handler{Identify: service.Identify, Source: service.Credentials, Hosts: vend.HostsOf(a), Log: log, Lines: lines}
			},
		})
	}
	if path := cfg.Vend.Socket; path != "" {
		out = append(out, &vend.Endpoint{
			Name: "vend.socket", Log: log,
			Listen: func(context.Context) (net.Listener, error) {
				gid, err := socketGroup(cfg.Socket.Group)
				if err != nil {
					return nil, err
				}
				return unixsock.Listen(path, os.FileMode(cfg.Socket.Mode), gid, log)
			},
			Handler: func(net.Addr) http.Handler {
				return &vend.Handler{Identify: vend.IdentifyAttested, Source: service.Credentials, Log: log, Lines: lines}
			},
			ConnContext: vend.Attested(unixsock.Peer),
		})
	}
	return out
}

// parts returns the health of the parts that belong to no destination. The name of
// a destination has no colon.
func (d *Daemon) parts() map[string]bool {
	out := make(map[string]bool, 2+len(d.vending))
	out["brokerd:log"] = d.log.Stats().StalledSince.IsZero()
	if d.spool != nil {
		u := d.spool.Unrecovered()
		out["brokerd:spool"] = u.Unreadable+u.Quarantined == 0
	}
	for _, e := range d.vending {
		out["brokerd:"+e.Name] = e.Up()
	}
	return out
}
