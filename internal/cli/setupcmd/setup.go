package setupcmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// VerifyRequest asks to verify the destinations after setup has written their arrangement.
type VerifyRequest struct {
	Path         string // of the configuration file
	Config       *config.Config
	State        setup.State
	Accounts     *awsaccounts.Accounts
	Destinations []string // empty: all
	Changed      bool     // this run has written to the accounts
	Wait         time.Duration
	Format       console.Format
}

// Verification is the result of a VerifyRequest.
type Verification struct {
	// Verified is pass, warn, fail or unknown. It is empty when no destination was verified;
	// NotVerified has the reason.
	Verified     report.Result   `json:"verified,omitempty"`
	NotVerified  string          `json:"not_verified,omitempty"`
	Destinations []report.Report `json:"destinations,omitempty"`
}

// VerifyFunc verifies the destinations of a request, and prints the result when the format is text.
type VerifyFunc func(context.Context, *console.App, VerifyRequest) (Verification, error)

// SetupCommand is `brokerctl setup` with its subcommands. They call verify after a change.
func SetupCommand(a *console.App, verify VerifyFunc) *cobra.Command {
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
	cmd.AddCommand(setupPlan(a), setupApply(a, verify), setupRemove(a), setupCreateKey(a), setupRender(a), setupImport(a))
	return cmd
}
