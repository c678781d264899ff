package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/broker"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/verify"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// cannotRun is why verify ended without an answer.
func cannotRun(err error) error { return &exitError{exitNoRun, err} }

func (a *app) verifyCommand() *cobra.Command {
	var (
		out        format
		standalone bool
		configPath string
	)
	cmd := &cobra.Command{
		Use:   "verify [DESTINATION…]",
		Short: "Prove that uploads would arrive, or name the policy that is in the way",
		Long: `Walk the whole way of an upload with real calls: source credentials, role,
bucket, key, a multipart upload of one byte that is aborted again. Without a
destination, all that this user has rights on are verified.

What fails is named with the account, the policy and the statement that repairs
it. What cannot be decided is "?" and never counted as passed.

The daemon does it, with its own sessions. With --standalone, brokerctl does it
itself, from the configuration file and the credentials it finds as the daemon
would: before the daemon is started, or where it does not run.

Exits 0 when all passed, 1 when a check failed, 2 when nothing failed but
something is unknown, 3 when it could not run.`,
		Example: `  brokerctl verify
  brokerctl verify audit-logs -o json | jq '.destinations[].checks[] | select(.result=="fail")'
  brokerctl verify --standalone --config /etc/brokerd/brokerd.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := a.verifyThrough(standalone, configPath)
			if err != nil {
				return cannotRun(err)
			}
			defer run.close()
			names := args
			if len(names) == 0 {
				if names, err = run.names(cmd.Context()); err != nil {
					return cannotRun(err)
				}
				if len(names) == 0 {
					return cannotRun(errors.New("there is no destination that this user may verify"))
				}
			}
			return a.verifyAll(cmd.Context(), run, names, out)
		},
	}
	cmd.Flags().BoolVar(&standalone, "standalone", false, "verify in this process, without the daemon; needs --config")
	cmd.Flags().StringVar(&configPath, "config", "", "configuration file, for --standalone")
	outputFlag(cmd, &out)
	return cmd
}

// verification is a way to verify: through the daemon or in this process.
type verification struct {
	names  func(context.Context) ([]string, error)
	verify func(ctx context.Context, destination string, emit func(verify.Check) error) error
	source func(ctx context.Context, destination string) (string, error) // who the source credentials are; in this process only
	close  func()
}

func (a *app) verifyThrough(standalone bool, configPath string) (*verification, error) {
	switch {
	case standalone && configPath == "":
		return nil, errors.New("--standalone needs --config FILE")
	case !standalone && configPath != "":
		return nil, errors.New("--config is for --standalone; the daemon has its own")
	case standalone:
		return verifyHere(configPath)
	}
	c, err := a.dial()
	if err != nil {
		return nil, err
	}
	return &verification{
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
		verify: func(ctx context.Context, destination string, emit func(verify.Check) error) error {
			stream, err := c.Broker().VerifyAccess(ctx, &brokerdv1.VerifyAccessRequest{Destination: destination})
			for err == nil {
				var resp *brokerdv1.VerifyAccessResponse
				if resp, err = stream.Recv(); err == nil {
					err = emit(checkOf(resp))
				}
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return c.FromError(err)
		},
		close: func() { _ = c.Close() },
	}, nil
}

func verifyHere(path string) (*verification, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	client, err := broker.NewHTTPClient(cfg.AWS)
	if err != nil {
		return nil, err
	}
	b, err := broker.New(broker.Options{Config: cfg, HTTPClient: client})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	v, err := verify.New(verify.Options{Config: cfg, Sessions: b, HTTPClient: client})
	if err != nil {
		cancel()
		return nil, err
	}
	return &verification{
		names:  func(context.Context) ([]string, error) { return slices.Sorted(maps.Keys(cfg.Destinations)), nil },
		verify: v.Verify,
		source: b.SourceIdentity,
		// The broker's flights are not bound to a caller: end them with the command.
		close: func() { cancel(); _ = b.Run(ctx) },
	}, nil
}

var checkResults = map[brokerdv1.CheckResult]verify.Result{
	brokerdv1.CheckResult_CHECK_RESULT_PASS:    verify.Pass,
	brokerdv1.CheckResult_CHECK_RESULT_WARN:    verify.Warn,
	brokerdv1.CheckResult_CHECK_RESULT_FAIL:    verify.Fail,
	brokerdv1.CheckResult_CHECK_RESULT_UNKNOWN: verify.Unknown,
	brokerdv1.CheckResult_CHECK_RESULT_SKIP:    verify.Skip,
}

func checkOf(r *brokerdv1.VerifyAccessResponse) verify.Check {
	result, ok := checkResults[r.GetResult()]
	if !ok {
		result = verify.Unknown // of a newer daemon
	}
	return verify.Check{
		Code: r.GetCode(), Category: r.GetCategory(), Title: r.GetTitle(), Result: result, Detail: r.GetDetail(),
		Account: r.GetAccount(), Artefact: r.GetArtefact(), ArtefactARN: r.GetArtefactArn(), Fix: r.GetFix(), FixStatement: r.GetFixStatement(),
		AWSCode: r.GetAwsCode(), AWSMessage: r.GetAwsMessage(), RequestID: r.GetRequestId(), Elapsed: r.GetElapsed().AsDuration(),
	}
}

func (a *app) verifyAll(ctx context.Context, run *verification, names []string, out format) error {
	worst := verify.Pass
	var reports []verify.Report
	render := newCheckRenderer(a.Out)
	for _, name := range names {
		report := verify.Report{Destination: name}
		err := run.verify(ctx, name, func(c verify.Check) error {
			report.Checks = append(report.Checks, c)
			if out == formatText {
				if len(report.Checks) == 1 {
					render.begin(name)
				}
				return render.check(c)
			}
			return nil
		})
		if err != nil {
			return cannotRun(fmt.Errorf("verifying %s: %w", name, err))
		}
		reports = append(reports, report)
		switch result := report.Result(); {
		case result == verify.Fail:
			worst = verify.Fail
		case result == verify.Unknown && worst == verify.Pass:
			worst = verify.Unknown
		}
		if out == formatText {
			if err := render.end(report); err != nil {
				return cannotRun(err)
			}
		}
	}
	if out == formatJSON {
		enc := json.NewEncoder(a.Out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(map[string]any{"result": worst, "destinations": reports}); err != nil {
			return cannotRun(err)
		}
	}
	switch worst {
	case verify.Fail:
		return &exitError{exitFailed, nil}
	case verify.Unknown:
		return &exitError{exitUsage, nil}
	}
	return nil
}
