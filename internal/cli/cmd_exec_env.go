package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
)

// otherCredentials are variables through which an SDK would find another identity.
var otherCredentials = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE",
	"AWS_DEFAULT_PROFILE", "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_CREDENTIAL_FILE", "AWS_SDK_LOAD_CONFIG",
	"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
}

// emptyFiles are the variables that name files with credentials, profiles and endpoint
// URLs. Every SDK reads these files before it asks a container endpoint, so they must be
// empty. BOTO_CONFIG is the file of older Python programs.
var emptyFiles = []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG"}

// sealed returns env without any source of credentials, and with a Region. The caller
// adds the credentials of the destination.
func sealed(env []string, region string) []string {
	out := without(env, slices.Concat(otherCredentials, emptyFiles, []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED"}))
	for _, name := range emptyFiles {
		out = append(out, name+"="+os.DevNull)
	}
	return append(out, "AWS_EC2_METADATA_DISABLED=true", "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region)
}

// without returns env without the named variables.
func without(env, names []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(names, name)
	})
}

// checkIdentity asks STS for the identity that an AWS SDK finds in env. It prints the
// identity, or returns an error when it is not the one of want, an environment with the
// keys of the destination's session.
func checkIdentity(ctx context.Context, a *console.App, want, env []string) error {
	expected, err := identityIn(ctx, want)
	if err != nil {
		return fmt.Errorf("asking STS for the identity of the destination's session: %w", err)
	}
	got, err := identityIn(ctx, env)
	if err != nil {
		return fmt.Errorf("asking STS for the identity of the command: %w", err)
	}
	if got != expected {
		return fmt.Errorf(
			"the command would run as %s and not as %s, because an AWS SDK finds other credentials first: it was not started",
			got,
			expected,
		)
	}
	_, _ = fmt.Fprintf(a.Err, "brokerctl: the command runs as %s\n", got)
	return nil
}

// identityIn runs identityCommand in env: the SDK reads its own environment.
func identityIn(ctx context.Context, env []string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding brokerctl's own program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, identityCommandName)
	var stderr strings.Builder
	cmd.Env, cmd.Stderr = env, &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

const identityCommandName = "exec-identity"

// identityCommand prints the identity that an AWS SDK finds in the environment, for
// exec --check.
func identityCommand(a *console.App) *cobra.Command {
	return &cobra.Command{
		Use: identityCommandName, Short: "Print the ARN that an AWS SDK finds in this environment", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := awsclient.New(config.AWS{CABundle: os.Getenv("AWS_CA_BUNDLE")})
			if err != nil {
				return err
			}
			cfg, err := awsconfig.LoadDefaultConfig(cmd.Context(), awsclient.LoadOptions(client)...)
			if err != nil {
				return err
			}
			out, err := sts.NewFromConfig(cfg).GetCallerIdentity(cmd.Context(), &sts.GetCallerIdentityInput{})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.Out, aws.ToString(out.Arn))
			return err
		},
	}
}
