package cli

import "github.com/spf13/cobra"

func (a *app) setupCommand() *cobra.Command {
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
	cmd.AddCommand(a.setupPlan(), a.setupApply(), a.setupRemove(), a.setupCreateKey(), a.setupRender(), a.setupImport())
	return cmd
}
