package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// cannotRun is why verify ended without an answer.
func cannotRun(err error) error { return &exitError{exitNoRun, err} }

// verifyFlags are what verify is told.
type verifyFlags struct {
	out        verifyFormat
	file       string
	standalone bool
	config     string
	canary     bool
	wait       time.Duration
	watch      time.Duration
	verbose    bool
	policies   policyFlags
}

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [DESTINATION…]",
		Short: "Prove that uploads would arrive, or name the policy that is in the way",
		Long: `Walk the whole way of an upload with real calls: source credentials, role,
bucket, key, a multipart upload of one byte that is aborted again. Without a
destination, all that this user has rights on are verified, several at a time.

What fails is named with the account, the policy and the statement, with what to
paste where, and with a message that is ready for the other account's
administrator. What cannot be decided is "?" and never counted as passed.

The daemon does it, with its own sessions and its own network. With --standalone,
brokerctl does it itself, from the configuration file and the credentials it finds
as the daemon would: before the daemon is started, or where it does not run.

Verify needs no more rights than an upload. Where somebody can read the policies,
it also says what they would decide: give them with --policies, or let brokerctl
read them with --source-profile (account A) and --target-profile (account B).

Nothing is written that is not aborted at once, except with --canary.

Exits 0 when all passed, 1 when a check failed, 2 when nothing failed but
something is unknown, 3 when it could not run.`,
		Example: `  brokerctl verify
  brokerctl verify audit-logs -o json | jq '.destinations[].checks[] | select(.result=="fail")'
  brokerctl verify audit-logs --wait 2m                   # just set up: policies take a while to be known everywhere
  brokerctl verify --watch=30s                            # see it become well while somebody repairs it
  brokerctl verify audit-logs -o html --output-file report.html
  brokerctl verify --standalone --config /etc/brokerd/brokerd.yaml
  brokerctl verify audit-logs --policies ./policies       # what others exported`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(isTerminal(a.Out)); err != nil {
				return usageError(err)
			}
			return a.verify(cmd.Context(), f, args)
		},
	}
	verifyFormatFlag(cmd, &f.out)
	cmd.Flags().StringVar(&f.file, "output-file", "", "write to this file, which appears whole or not at all")
	cmd.Flags().BoolVar(&f.standalone, "standalone", false, "verify in this process, without the daemon; needs --config")
	cmd.Flags().StringVar(&f.config, "config", "", "configuration file, for --standalone; with profiles it says where the accounts are reached")
	cmd.Flags().BoolVar(&f.canary, "canary", false, "also store a real object of a few bytes, which stays in the bucket")
	cmd.Flags().DurationVar(&f.wait, "wait", 0, "verify again what does not pass, until it does or this time is over")
	cmd.Flags().DurationVarP(&f.watch, "watch", "w", 0, "verify again and again, until Ctrl-C; without a value every 10s")
	cmd.Flags().Lookup("watch").NoOptDefVal = "10s"
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "text: also what was seen where all is right")
	f.policies.register(cmd)
	return cmd
}

// leastWatch keeps a watch from being a load test.
const leastWatch = time.Second

// check refuses flags that contradict each other.
func (f verifyFlags) check(terminal bool) error {
	switch {
	case f.standalone && f.config == "":
		return errors.New("--standalone needs --config FILE")
	case !f.standalone && f.config != "" && !f.policies.reads():
		return errors.New("--config is for --standalone, --source-profile and --target-profile; the daemon has its own")
	case f.wait < 0:
		return errors.New("--wait takes a time such as 2m")
	case f.watch != 0 && f.watch < leastWatch:
		return fmt.Errorf("--watch=%v is too often: at least every %v", f.watch, leastWatch)
	case f.watch != 0 && f.wait != 0:
		return errors.New("--watch and --wait exclude each other: --watch does not end, --wait does when all is well")
	case f.watch != 0 && f.canary:
		return errors.New("--watch and --canary exclude each other: every round would leave an object")
	case f.watch != 0 && (f.file != "" || f.out == verifyJUnit || f.out == verifySARIF || f.out == verifyHTML):
		return errors.New("--watch goes with -o text, short or json, and with no file")
	case f.out == verifyHTML && f.file == "" && terminal:
		return errors.New("-o html prints a page: say --output-file report.html, or redirect it")
	}
	return f.policies.check()
}

// verify resolves what is to be verified, and does it in the way that f asks for.
func (a *app) verify(ctx context.Context, f verifyFlags, names []string) error {
	backend, err := a.newVerifyBackend(f.standalone, f.config)
	if err != nil {
		return cannotRun(err)
	}
	defer backend.close()
	if len(names) == 0 {
		if names, err = backend.names(ctx); err != nil {
			return cannotRun(err)
		}
		if len(names) == 0 {
			return cannotRun(errors.New("there is no destination that this user may verify"))
		}
	}
	options, err := a.verifyOptions(ctx, f, backend, names)
	if err != nil {
		return cannotRun(err)
	}
	v := &verifyRun{app: a, backend: backend, names: names, options: options, flags: f}
	switch {
	case f.watch != 0:
		return v.watch(ctx)
	case f.wait != 0:
		return v.waiting(ctx)
	}
	return v.once(ctx)
}

// exitOf is what a script sees of a run.
func exitOf(run render.Run) error {
	result, ran := run.Verdict()
	switch {
	case result == report.Fail:
		return &exitError{exitFailed, nil}
	case !ran:
		for _, r := range run.Results {
			if r.Err != nil {
				return cannotRun(fmt.Errorf("verifying %s: %w", r.Destination, r.Err))
			}
		}
		return cannotRun(errors.New("nothing was verified"))
	case result == report.Pass:
		return nil
	}
	return &exitError{exitUsage, nil}
}
