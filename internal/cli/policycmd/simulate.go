package policycmd

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/fixproof"
)

func simulateCommand(a *console.App) *cobra.Command {
	var (
		in    scenarioFlags
		out   console.Format
		batch bool
	)
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Say whether a request is allowed, by which policies, and what would change it",
		Long: `Decide one request against the policies around it, across accounts. The request
and its policies come from a scenario (-f, YAML or JSON, - for standard input) or
from flags. With --batch, standard input is JSON lines, one scenario each, and the
output one JSON line each, in order; a line that is no scenario gets an error line
and the rest goes on.

Exit status: 0 allowed, 1 denied, 2 unknown, 3 the scenario could
not be read. With --batch: 0 when every line was decided, 3 when one was not.`,
		Example: `  brokerctl policy simulate -f scenario.yaml
  brokerctl policy simulate --principal arn:aws:sts::111122223333:assumed-role/app/s1 \
    --action s3:PutObject --resource arn:aws:s3:::logs/a.gz --resource-account 444455556666 \
    --identity role.json --resource-policy bucket.json --context aws:SecureTransport=true
  brokerctl policy simulate --batch < scenarios.jsonl > results.jsonl`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if batch {
				if in.used() {
					return console.UsageError(errors.New("--batch reads scenarios from standard input; it takes no other description of a request"))
				}
				return simulateBatch(a)
			}
			sc, err := in.scenario(a.In)
			if err != nil {
				return err
			}
			res := fixproof.Propose(sc, iampolicy.Evaluate(sc))
			if out == console.FormatJSON {
				err = json.NewEncoder(a.Out).Encode(res)
			} else {
				err = renderResult(a, sc, res)
			}
			if err != nil {
				return err
			}
			return decided(res.Decision)
		},
	}
	in.register(cmd)
	cmd.Flags().BoolVar(&batch, "batch", false, "JSON lines in, JSON lines out")
	console.OutputFlag(cmd, &out)
	return cmd
}

// decided is the exit status of a decision.
func decided(d iampolicy.Decision) error {
	switch d {
	case iampolicy.Allowed:
		return nil
	case iampolicy.Unknown:
		return &console.ExitError{Code: console.ExitOpen, Err: nil}
	default:
		return &console.ExitError{Code: console.ExitFailed, Err: nil}
	}
}

func unreadable(name string, err error) error {
	return &console.ExitError{Code: console.ExitNoRun, Err: fmt.Errorf("%s: %w", name, err)}
}
