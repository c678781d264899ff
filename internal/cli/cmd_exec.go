package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
)

func execCommand(a *console.App) *cobra.Command {
	var endpoint, check bool
	var named *console.Destinations
	cmd := &cobra.Command{
		Use:   "exec DESTINATION -- COMMAND [ARGUMENT…]",
		Short: "Run a command with the session credentials of a destination",
		Long: `Run a command with the session credentials of a destination in its environment,
and without any other AWS credentials: the shared AWS files (~/.aws, AWS_CONFIG_FILE,
AWS_SHARED_CREDENTIALS_FILE) are empty for the command. Set an endpoint or another option
of the files in the environment. brokerctl writes nothing to disk. The command replaces
the brokerctl process, so signals and exit status are those of the command.

Credentials in the environment cannot be refreshed. They are valid for at least 20
minutes, while STS can be reached. If the command runs longer, use --endpoint: the
AWS SDK then fetches credentials from an address on loopback, with a token of its own,
and fetches them again before they expire. brokerctl keeps running, forwards signals,
and exits with the command's status.

With --check, brokerctl first asks STS which identity an AWS SDK finds in the command's
environment, and prints it. If it is not the destination's, the command is not started.

An access rule must grant this user the right "credentials".`,
		Example: `  brokerctl exec audit-logs -- aws s3 cp report.csv s3://tenant-s3-test-bucket/logs/
  brokerctl exec --endpoint audit-logs -- ./nightly-export.sh`,
		RunE: func(cmd *cobra.Command, args []string) error {
			at := cmd.ArgsLenAtDash()
			if at < 0 || len(args) == at {
				return console.UsageError(errors.New("the arguments are a destination, --, and a command: brokerctl exec DESTINATION -- COMMAND"))
			}
			destination, err := named.Needed(args[:at])
			if err != nil {
				return err
			}
			args = args[at:]
			path, err := exec.LookPath(args[0])
			if err != nil {
				return console.UsageError(err)
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			r, err := issue(cmd.Context(), c, destination)
			if err != nil {
				return err
			}
			region, err := regionOf(cmd, c, destination)
			if err != nil {
				return err
			}
			sealedEnv := sealed(os.Environ(), region)
			env := slices.Clone(sealedEnv)
			verify := func(env []string) error {
				if !check {
					return nil
				}
				return checkIdentity(cmd.Context(), a, append(slices.Clone(sealedEnv), credentialVariables(r)...), env)
			}
			if endpoint {
				return execWithEndpoint(cmd.Context(), a, c, destination, path, args, env, verify)
			}
			env = append(env, credentialVariables(r)...)
			if err := verify(env); err != nil {
				return err
			}
			if err := syscall.Exec(path, args, env); err != nil {
				return fmt.Errorf("running %s: %w", path, err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&endpoint, "endpoint", false, "serve credentials over HTTP on loopback, so that the command's SDK can refresh them")
	cmd.Flags().BoolVar(&check, "check", false, "ask STS for the command's identity first, and do not start it under another one")
	a.SocketFlag(cmd)
	named = a.DestinationFlag(cmd, "the destination", nil)
	return cmd
}
