package setupcmd

import (
	"encoding/json"
	"fmt"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/setup"
)

func setupPlan(a *console.App) *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "plan [DESTINATION…]",
		Short: "Show what apply would change, and prove that uploads work afterwards",
		Long: `Read both accounts, and show what apply would change: statement by statement,
with everything that belongs to others left as it is. Then the policy engine
decides, with the documents as they will be, whether an upload is allowed, and
whether what should be refused is refused. Nothing is changed.

Without a destination, all are planned. Destinations that share a role, a bucket
or a key share its documents.
` + accountsHelp + `

Exits 0 when nothing is to be done, 2 when there are changes, 1 when it failed
or something that matters could not be read.`,
		Example: `  brokerctl setup plan --config brokerd.yaml --source-profile a-admin --target-profile b-admin
  brokerctl setup plan audit-logs --config brokerd.yaml --source-profile a-admin
  brokerctl setup plan --config brokerd.yaml --target-profile b-admin -o json | jq '.changes[] | select(.op != "keep")'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			args, err := f.named.Named(args)
			if err != nil {
				return err
			}
			a.OnInterrupt(func() string { return "nothing was changed" })
			r, err := f.open(cmd.Context(), args)
			if err != nil {
				return err
			}
			p, err := r.plan(cmd.Context(), setup.PlanOptions{Destinations: args})
			if err != nil {
				return err
			}
			if err := showPlan(a, r, p, &f); err != nil {
				return err
			}
			switch {
			case len(p.Unknown()) > 0:
				return &console.ExitError{
					Code: console.ExitFailed,
					Err:  fmt.Errorf("%s could not be decided: see ? above", console.Counted(len(p.Unknown()), "part")),
				}
			case notProven(p) != nil:
				return &console.ExitError{Code: console.ExitFailed, Err: notProven(p)}
			case p.Pending():
				return &console.ExitError{Code: console.ExitOpen, Err: nil}
			}
			return nil
		},
	}
	f.add(a, cmd)
	return cmd
}

// showPlan prints a plan, and writes the hand-over files for other administrators.
func showPlan(a *console.App, r *arrangement, p *setup.Plan, f *setupFlags) error {
	files, err := writeHandOvers(f.handOver, r, p)
	if err != nil {
		return err
	}
	if f.out == console.FormatJSON {
		enc := json.NewEncoder(a.Out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			*setup.Plan
			Pending   bool              `json:"pending"`
			Proven    setup.Verdict     `json:"proven"`
			Callers   map[string]string `json:"callers"`
			HandOvers []string          `json:"handovers,omitempty"`
		}{p, p.Pending(), p.Proven(), r.accounts.Callers(), files})
	}
	v := newPlanView(a)
	v.plan(p, r.accounts.Callers())
	for _, file := range files {
		v.line("Wrote %s for the administrator of the account that was not reached.", file)
	}
	return v.err
}
