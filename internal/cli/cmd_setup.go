package cli

import (
	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/spf13/cobra"
)

func setupCommand(a *console.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Make the accounts as the configuration asks",
		Long: `Compare the roles, policies, buckets and keys of both accounts with the
configuration, and change the parts that differ. Statements of others are never
touched: ours are known by their Sids, which begin with Brokerd.

Start with ` + "`brokerctl setup plan`" + `: it changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(setupPlan(a), setupApply(a), setupRemove(a), setupCreateKey(a), setupRender(a), setupImport(a))
	return cmd
}
