package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// otherCredentials are variables through which an SDK would find another identity.
var otherCredentials = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
	"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
}

func (a *app) execCommand() *cobra.Command {
	var endpoint bool
	cmd := &cobra.Command{
		Use:   "exec DESTINATION -- COMMAND [ARGUMENT…]",
		Short: "Run a command with the session credentials of a destination",
		Long: `Run a command with the session credentials of a destination in its environment,
and without any other AWS credentials. brokerctl writes nothing to disk. The command
replaces the brokerctl process, so signals and exit status are those of the command.

Credentials in the environment cannot be refreshed. They are valid for at least 20
minutes, while STS can be reached. If the command runs longer, use --endpoint: the
AWS SDK then fetches credentials from an address on loopback, with a token of its own,
and fetches them again before they expire. brokerctl keeps running, forwards signals,
and exits with the command's status.

An access rule must grant this user the right "credentials".`,
		Example: `  brokerctl exec audit-logs -- aws s3 cp report.csv s3://tenant-s3-test-bucket/logs/
  brokerctl exec --endpoint audit-logs -- ./nightly-export.sh`,
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return usageError(errors.New("the arguments are a destination, --, and a command: brokerctl exec DESTINATION -- COMMAND"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := exec.LookPath(args[1])
			if err != nil {
				return usageError(err)
			}
			c, err := a.dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			r, err := c.Broker().GetCredentials(cmd.Context(), &brokerdv1.GetCredentialsRequest{Destination: args[0]})
			if err != nil {
				return c.FromError(err)
			}
			region, err := regionOf(cmd, c, args[0])
			if err != nil {
				return err
			}
			env := without(os.Environ(), append([]string{"AWS_REGION", "AWS_DEFAULT_REGION"}, otherCredentials...))
			env = append(env, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region)
			if endpoint {
				return a.execWithEndpoint(cmd.Context(), c, args[0], path, args[1:], env)
			}
			if err := syscall.Exec(path, args[1:], append(env, credentialVariables(r)...)); err != nil {
				return fmt.Errorf("running %s: %w", path, err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&endpoint, "endpoint", false, "serve credentials over HTTP on loopback, so that the command's SDK can refresh them")
	return cmd
}

// without returns env without the named variables.
func without(env, names []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(names, name)
	})
}
