package policycmd

import (
	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/spf13/cobra"
)

// PolicyCommand is `brokerctl policy` with its subcommands.
func PolicyCommand(a *console.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Decide as AWS decides, offline: simulate, lint, explain-error",
		Long: `Evaluate AWS policies on this machine. No daemon, no network and no AWS account is
used: the answer is that of the policies you give, and lists its assumptions about
those you do not. The rules follow AWS's documentation; they were not compared
with real AWS.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(simulateCommand(a), lintCommand(a), explainErrorCommand(a))
	return cmd
}
