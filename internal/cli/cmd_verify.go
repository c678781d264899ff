package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/verify/render"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// cannotRun wraps the reason why verify could not run.
func cannotRun(err error) error { return &console.ExitError{Code: console.ExitNoRun, Err: err} }

// verifyFlags are the flags of verify.
type verifyFlags struct {
	out        verifyFormat
	file       string
	standalone bool
	config     string
	canary     bool
	wait       time.Duration
	watch      time.Duration
	verbose    bool
	message    bool
	policies   policyFlags
}

func verifyCommand(a *console.App) *cobra.Command {
	var f verifyFlags
	var destinations *console.Destinations
	cmd := &cobra.Command{
		Use:        "verify [DESTINATION…]",
		SuggestFor: []string{"check", "test", "doctor", "diagnose"},
		Short:      "Prove that uploads would arrive, or name the policy that is in the way",
		Long: `Make the calls of an upload: source credentials, role, bucket, key, and a
multipart upload of one byte, which is aborted. Without a destination, verify all
that this user may verify, several at a time.

For each fault, the report names the account, the policy and the statement, and
prints the fix. With --message, it also prints a text for the administrators of the
other account. An undecided check is "?" and never counts as passed.

The daemon verifies, with its own sessions and its own network. With --standalone,
brokerctl verifies in its own process, from the configuration file and with the
credentials that the daemon would find. Use it before the daemon runs.

Verify needs no more rights than an upload. With the policies, it also names the
statement behind a refusal: supply them with --policies, or let brokerctl read them
with --source-profile (account A) and --target-profile (account B).

Verify aborts every upload that it starts. Only --canary stores an object.

Exit codes: 0 all passed; 1 a check failed; 2 no check failed, and one is
undecided; 3 verify could not run.`,
		Example: `  brokerctl verify
  brokerctl verify audit-logs -o json | jq '.destinations[].checks[] | select(.result=="fail")'
  brokerctl verify audit-logs --wait 2m                   # after a setup: new policies take time to apply
  brokerctl verify --watch=30s                            # watch a repair
  brokerctl verify audit-logs -o html --output-file report.html
  brokerctl verify audit-logs --message                   # with a text for account B
  brokerctl verify --standalone --config /etc/brokerd/brokerd.yaml
  brokerctl verify audit-logs --policies ./policies       # with exported policies`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(console.IsTerminal(a.Out)); err != nil {
				return console.UsageError(err)
			}
			names, err := destinations.Named(args)
			if err != nil {
				return err
			}
			return verifyDestinations(cmd.Context(), a, f, names)
		},
	}
	f.out = verifyText
	console.ChoiceFlag(
		cmd,
		&f.out,
		"output",
		"o",
		"text; short: only problems; json, junit, sarif; html: one page to read and to send",
		verifyFormats...)
	a.SocketFlag(cmd)
	a.ColorFlag(cmd)
	destinations = a.DestinationFlag(cmd, "verify this destination; may be given more than once", nil)
	cmd.Flags().StringVar(&f.file, "output-file", "", "write the report to this file")
	cmd.Flags().BoolVar(&f.standalone, "standalone", false, "verify in this process, without the daemon; needs --config")
	console.ConfigFlag(cmd, &f.config, "", "configuration file, for --standalone; with profiles it holds the endpoints of the accounts")
	cmd.Flags().BoolVar(&f.canary, "canary", false, "also store an object of a few bytes, which stays in the bucket")
	cmd.Flags().DurationVar(&f.wait, "wait", 0, "verify again what does not pass, until it passes or this time is over")
	cmd.Flags().DurationVarP(&f.watch, "watch", "w", 0, "verify repeatedly until Ctrl-C; without a value every 10s")
	cmd.Flags().Lookup("watch").NoOptDefVal = "10s"
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "text: list every check with its reason, and all evidence")
	cmd.Flags().BoolVar(&f.message, "message", false, "text: also print a text for the administrators of the other account")
	console.FileFlags(cmd, "output-file")
	f.policies.register(cmd)
	return cmd
}

// leastWatch is the shortest interval of --watch.
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
		return errors.New("use either --watch or --wait: --wait ends when all passes, --watch does not end")
	case f.watch != 0 && f.canary:
		return errors.New("use either --watch or --canary: each round would leave an object")
	case f.message && f.out != verifyText:
		return errors.New("--message is for -o text: json and html always hold the messages")
	case f.watch != 0 && (f.file != "" || f.out == verifyJUnit || f.out == verifySARIF || f.out == verifyHTML):
		return errors.New("--watch works with -o text, short or json, and without --output-file")
	case f.out == verifyHTML && f.file == "" && terminal:
		return errors.New("-o html prints a page: use --output-file report.html, or redirect it")
	}
	return f.policies.check()
}

// verifyDestinations finds the destinations and their policies, and runs as the flags ask.
func verifyDestinations(ctx context.Context, a *console.App, f verifyFlags, names []string) error {
	backend, err := newVerifyBackend(a, f.standalone, f.config)
	if err != nil {
		return cannotRun(err)
	}
	defer backend.close()
	if len(names) == 0 {
		if names, err = backend.names(ctx); err != nil {
			return cannotRun(err)
		}
		if len(names) == 0 {
			return cannotRun(errors.New("there is no destination that this user may verify; see the access rules of the configuration"))
		}
	}
	options, err := verifyOptions(ctx, a, f, backend, names)
	if err != nil {
		return cannotRun(err)
	}
	v := &verifyRun{App: a, backend: backend, names: names, options: options, flags: f}
	switch {
	case f.watch != 0:
		return v.watch(ctx)
	case f.wait != 0:
		return v.waiting(ctx)
	}
	return v.once(ctx)
}

// exitOf maps a run to the exit code.
func exitOf(run render.Run) error {
	result, ran := run.Verdict()
	switch {
	case result == report.Fail:
		return &console.ExitError{Code: console.ExitFailed, Err: nil}
	case !ran:
		for _, r := range run.Results {
			if r.Err != nil {
				return cannotRun(fmt.Errorf("verifying %s: %w", r.Destination, r.Err))
			}
		}
		return cannotRun(errors.New("no destination was verified"))
	case result == report.Pass:
		return nil
	}
	return &console.ExitError{Code: console.ExitOpen, Err: nil}
}
