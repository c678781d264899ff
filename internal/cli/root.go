package cli

import (
	"context"
	"fmt"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/cli/initcmd"
	"github.com/brokerd/brokerd/internal/cli/policycmd"
	"github.com/brokerd/brokerd/internal/cli/sandboxcmd"
	"github.com/brokerd/brokerd/internal/cli/setupcmd"
	"github.com/brokerd/brokerd/internal/cli/spoolcmd"
	"github.com/brokerd/brokerd/internal/cli/watchcmd"

	"github.com/spf13/cobra"
)

// Streams are the standard input, output and error of the commands.
type Streams = console.Streams

// Main runs brokerctl with args (without the program's name) and returns its exit code.
func Main(ctx context.Context, args []string, s console.Streams) int {
	a := &console.App{Streams: s}
	root := root(a)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := interruptible(ctx, root, args)
	if err != nil && err.Error() != "" {
		_, _ = fmt.Fprintln(s.Err, console.Fit(s.Err, "brokerctl: "+a.ExplainError(err)))
	}
	return console.ExitCode(err)
}

func root(a *console.App) *cobra.Command {
	root := &cobra.Command{
		Use:   "brokerctl",
		Short: "Deliver files through brokerd, and prove that its access works",
		Long: `brokerctl talks to brokerd, the daemon that delivers objects, encrypted with
another account's KMS key, into that account's S3 bucket.

Start with ` + "`brokerctl demo`" + `: it shows a delivery from start to end on this machine,
without AWS.`,
		Example: `  brokerctl demo
  brokerctl upload -d audit-logs /var/log/app/today.log.gz
  brokerctl verify audit-logs`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(
		initcmd.InitCommand(a),
		setupcmd.SetupCommand(a, verifySetup),
		uploadCommand(a),
		verifyCommand(a),
		statusCommand(a),
		waitCommand(a),
		spoolcmd.SpoolCommand(
			a,
		),
		watchcmd.WatchCommand(a),
		drainCommand(a),
		reloadCommand(a),
		sessionsCommand(a),
		credentialsCommand(a),
		execCommand(a),
		identityCommand(a),
		explainCommand(a),
		policycmd.PolicyCommand(a),
		demoCommand(a),
		devCommand(a),
		sandboxcmd.SandboxCommand(a),
		versionCommand(a),
		console.ExitCodesTopic(),
	)
	console.Finish(root)
	for _, c := range root.Commands() {
		switch c.Name() {
		case "demo", "dev", "sandbox", "exec", "verify", "setup":
			markCleansUp(c)
		}
	}
	return root
}
