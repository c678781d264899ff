package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/reason"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/client"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

const waitRetry = 100 * time.Millisecond

func waitCommand(a *console.App) *cobra.Command {
	var timeout time.Duration
	var named *console.Destinations
	cmd := &cobra.Command{
		Use:   "wait [DESTINATION…]",
		Short: "Wait until the daemon, or the named destinations, are ready",
		Long: `Wait until the daemon reports SERVING; with destinations, until each of them has a
usable session. Exits 0 when ready, and 75 when --timeout has passed. Some causes end
the wait at once: 1 if the daemon has no such destination, 77 if this user may not
open the socket, and 78 if the path is not a brokerd's socket.`,
		Example: "  brokerctl wait --timeout 30s\n  brokerctl wait audit-logs && brokerctl upload -d audit-logs report.csv",
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := named.Named(args)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			if err := waitForAll(ctx, c, names); err != nil {
				if cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
				return err
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait")
	a.SocketFlag(cmd)
	named = a.DestinationFlag(cmd, "wait for this destination; may be given more than once", nil)
	return cmd
}

// waitForAll waits for the daemon and then for each destination. An unknown name is an
// error as soon as the daemon answers, also while the daemon itself is not ready.
func waitForAll(ctx context.Context, c *client.Client, destinations []string) error {
	for _, d := range destinations {
		if err := waitUntil(ctx, c, d, func(healthpb.HealthCheckResponse_ServingStatus) bool { return true }); err != nil {
			return err
		}
	}
	for _, service := range append([]string{""}, destinations...) {
		if err := waitServing(ctx, c, service); err != nil {
			return err
		}
	}
	return nil
}

// waitServing watches the health of service until it is SERVING. It retries while the
// daemon is not running yet.
func waitServing(ctx context.Context, c *client.Client, service string) error {
	return waitUntil(ctx, c, service, func(s healthpb.HealthCheckResponse_ServingStatus) bool {
		return s == healthpb.HealthCheckResponse_SERVING
	})
}

// waitUntil watches the health of service until done accepts it. It returns at once for
// an unknown service, and for a socket that no retry makes usable.
func waitUntil(ctx context.Context, c *client.Client, service string, done func(healthpb.HealthCheckResponse_ServingStatus) bool) error {
	last := errors.New("no answer yet")
	for {
		err := watchUntil(ctx, c, service, done, &last)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = c.FromError(err)
			var ce *client.Error
			unknown := errors.As(last, &ce) && ce.Reason == string(reason.UnknownDestination)
			if code := console.CodeOf(last); unknown || code == console.ExitRefused || code == console.ExitSocket {
				return last
			}
		}
		timer := time.NewTimer(waitRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
			target := "the daemon at " + c.Socket()
			if service != "" {
				target = "destination " + service
			}
			return &console.ExitError{Code: console.ExitTemporary, Err: fmt.Errorf("%s is not ready: %w", target, last)}
		case <-timer.C:
		}
	}
}

// watchUntil watches the health of service until done accepts it. It then closes the
// stream: a stopping daemon waits for open ones.
func watchUntil(ctx context.Context, c *client.Client, service string, done func(healthpb.HealthCheckResponse_ServingStatus) bool,
	last *error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.Health().Watch(ctx, &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		return err
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return err
		}
		switch s := resp.GetStatus(); {
		case s == healthpb.HealthCheckResponse_SERVICE_UNKNOWN:
			return noDestination(ctx, c, service)
		case done(s):
			return nil
		default:
			*last = errors.New("the daemon reports " + s.String())
		}
	}
}

// noDestination is the error about an unknown destination. It names those of this user.
func noDestination(ctx context.Context, c *client.Client, name string) error {
	text := fmt.Sprintf("the daemon has no destination %q", name)
	if list, err := c.Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{}); err == nil {
		var names []string
		for _, d := range list.GetDestinations() {
			names = append(names, d.GetName())
		}
		if len(names) > 0 {
			text += "; this user may use: " + strings.Join(names, ", ")
		}
	}
	return &client.Error{Code: codes.NotFound, Reason: string(reason.UnknownDestination), Message: text}
}
