package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/verify"
	"github.com/brokerd/brokerd/internal/verify/report"
	"github.com/brokerd/brokerd/internal/verify/verifypb"
	"github.com/brokerd/brokerd/internal/watch/delivery"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// verifyBackend is a way to verify: through the daemon or in this process.
type verifyBackend struct {
	title string // names the process that verifies, for people
	// names are the destinations that may be verified.
	names func(context.Context) ([]string, error)
	// verify verifies a destination. It is safe for concurrent use.
	verify func(ctx context.Context, destination string, o report.RunOptions, emit func(report.Check) error) (report.Report, error)
	// config is the configuration of the destinations, as far as it is known.
	config func(context.Context) (*config.Config, error)
	// source returns the ARN of the source credentials of a destination; nil with the daemon.
	source func(ctx context.Context, destination string) (string, error)
	close  func()
}

func newVerifyBackend(a *console.App, standalone bool, configPath string) (*verifyBackend, error) {
	if standalone {
		return standaloneBackend(configPath)
	}
	c, err := a.Dial()
	if err != nil {
		return nil, err
	}
	return &verifyBackend{
		title: "the daemon at " + c.Socket(),
		names: func(ctx context.Context) ([]string, error) {
			resp, err := c.Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
			if err != nil {
				return nil, c.FromError(err)
			}
			var names []string
			for _, d := range resp.GetDestinations() {
				names = append(names, d.GetName())
			}
			return names, nil
		},
		config: func(ctx context.Context) (*config.Config, error) { return configOfDaemon(ctx, c) },
		verify: func(ctx context.Context, destination string, o report.RunOptions, emit func(report.Check) error) (report.Report, error) {
			return verifyByDaemon(ctx, c, destination, o, emit)
		},
		close: func() { _ = c.Close() },
	}, nil
}

// configOfDaemon returns the daemon's destinations: roles, buckets and keys, which the
// policies name.
func configOfDaemon(ctx context.Context, c *client.Client) (*config.Config, error) {
	resp, err := c.Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
	if err != nil {
		return nil, c.FromError(err)
	}
	cfg := &config.Config{Destinations: make(map[string]*config.Destination)}
	for _, d := range resp.GetDestinations() {
		cfg.Destinations[d.GetName()] = &config.Destination{
			Name: d.GetName(), Role: d.GetRoleArn(), Bucket: d.GetBucket(), Owner: d.GetOwnerAccount(), Region: d.GetRegion(),
			KMSKey:     d.GetKmsKeyArn(),
			Compatible: d.GetRoleArn() == "" || d.GetOwnerAccount() == "", // no accounts with policies to read
		}
	}
	return cfg, nil
}

func verifyByDaemon(
	ctx context.Context,
	c *client.Client,
	destination string,
	o report.RunOptions,
	emit func(report.Check) error,
) (report.Report, error) {
	// The daemon does not send the supplied documents back.
	out := report.Report{Destination: destination, Documents: o.Policies.Documents}
	stream, err := c.Broker().VerifyAccess(ctx, verifypb.ToRequest(destination, o))
	if err != nil {
		return out, c.FromError(err)
	}
	for {
		resp, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, c.FromError(err)
		case resp.GetSummary() != nil:
			verifypb.Complete(&out, resp.GetSummary())
			continue
		}
		check := verifypb.ToCheck(resp)
		out.Checks = append(out.Checks, check)
		if err := emit(check); err != nil {
			return out, err
		}
	}
}

func standaloneBackend(path string) (*verifyBackend, error) {
	cfg, err := config.LoadWithEnvironment(path)
	if err != nil {
		return nil, err
	}
	client, err := awsclient.New(cfg.AWS)
	if err != nil {
		return nil, err
	}
	b, err := broker.New(broker.Options{Config: cfg, HTTPClient: client})
	if err != nil {
		return nil, err
	}
	v, err := verify.New(verify.Options{Config: cfg, Sessions: b, HTTPClient: client, Files: delivery.Problems})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &verifyBackend{
		title:  fmt.Sprintf("brokerctl itself, by %s", path),
		names:  func(context.Context) ([]string, error) { return slices.Sorted(maps.Keys(cfg.Destinations)), nil },
		verify: v.Verify,
		config: func(context.Context) (*config.Config, error) { return cfg, nil },
		source: b.SourceIdentity,
		// The broker's requests outlive their callers: end them with the command.
		close: func() { cancel(); _ = b.Run(ctx) },
	}, nil
}
