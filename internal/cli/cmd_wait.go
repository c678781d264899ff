package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/brokerd/brokerd/client"
)

const waitRetry = 100 * time.Millisecond

func waitCommand(a *console.App) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait [DESTINATION…]",
		Short: "Wait until the daemon, or the named destinations, are ready",
		Long: `Wait until the daemon reports SERVING; with destinations, until each of them has a
usable session. Exits 0 when ready, and 75 when --timeout has passed; 77 at once if
this user may not open the socket, and 78 if the path is not a brokerd's socket.`,
		Example: "  brokerctl wait --timeout 30s\n  brokerctl wait audit-logs && brokerctl upload -d audit-logs report.csv",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			for _, service := range append([]string{""}, args...) {
				if err := waitServing(ctx, c, service); err != nil {
					if cmd.Context().Err() != nil {
						return cmd.Context().Err()
					}
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait")
	return cmd
}

// waitServing watches the health of service until it is SERVING. It retries while the
// daemon is not running yet.
func waitServing(ctx context.Context, c *client.Client, service string) error {
	last := errors.New("no answer yet")
	for {
		err := watchServing(ctx, c, service, &last)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = c.FromError(err)
			if code := console.CodeOf(last); code == console.ExitRefused || code == console.ExitSocket {
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

// watchServing watches the health of service until it is SERVING. It then closes the
// stream: a stopping daemon waits for open ones.
func watchServing(ctx context.Context, c *client.Client, service string, last *error) error {
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
		switch resp.GetStatus() {
		case healthpb.HealthCheckResponse_SERVING:
			return nil
		case healthpb.HealthCheckResponse_SERVICE_UNKNOWN:
			*last = errors.New("the daemon has no such destination")
		default:
			*last = errors.New("the daemon reports " + resp.GetStatus().String())
		}
	}
}
