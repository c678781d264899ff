package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func credentialsCommand(a *console.App) *cobra.Command {
	form := formProcess
	var named *console.Destinations
	cmd := &cobra.Command{
		Use:   "credentials DESTINATION",
		Short: "Print the session credentials of a destination, for programs that bring their own AWS client",
		Long: `Print the session credentials of a destination. An access rule must grant this
user the right "credentials". The daemon logs every answer.

The formats:
  process  for credential_process in ~/.aws/config: the AWS CLI and the SDKs call
           brokerctl again before the credentials expire
  env      export lines for a shell
  json     the same fields for programs
  ini      a profile for a credentials file

The output is a secret. It is valid until its expiration: at least 20 minutes, while
STS can be reached.`,
		Example: `  eval "$(brokerctl credentials audit-logs -o env)"
  brokerctl credentials -d audit-logs -o json | jq -r .expiration
  # ~/.aws/config:
  #   [profile audit-logs]
  #   credential_process = brokerctl credentials audit-logs -o process`,
		RunE: func(cmd *cobra.Command, args []string) error {
			destination, err := named.Needed(args)
			if err != nil {
				return err
			}
			write := map[credentialsForm]func(io.Writer, string, *brokerdv1.GetCredentialsResponse) error{
				formProcess: writeProcess, formEnv: writeEnv, formJSON: writeCredentialsJSON, formINI: writeINI,
			}[form]
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			r, err := issue(cmd.Context(), c, destination)
			if err != nil {
				return err
			}
			if r.GetExpiration() == nil {
				return errors.New("the daemon's answer has no expiration; brokerctl uses no credentials without one")
			}
			return write(a.Out, destination, r)
		},
	}
	console.FormatFlag(
		cmd,
		&form,
		"for a credential_process, a shell, programs, or a credentials file",
		formProcess,
		formEnv,
		formJSON,
		formINI,
	)
	a.SocketFlag(cmd)
	named = a.DestinationFlag(cmd, "the destination", nil)
	return cmd
}

// credentialsForm is a form in which credentials are printed.
type credentialsForm string

const (
	formProcess credentialsForm = "process"
	formEnv     credentialsForm = "env"
	formJSON    credentialsForm = "json"
	formINI     credentialsForm = "ini"
)

// writeProcess writes the JSON that AWS SDKs read from a credential_process.
func writeProcess(w io.Writer, _ string, r *brokerdv1.GetCredentialsResponse) error {
	return json.NewEncoder(w).Encode(struct {
		Version                                   int
		AccessKeyID                               string `json:"AccessKeyId"`
		SecretAccessKey, SessionToken, Expiration string
	}{1, r.GetAccessKeyId(), r.GetSecretAccessKey(), r.GetSessionToken(), expiration(r)})
}

func writeCredentialsJSON(w io.Writer, destination string, r *brokerdv1.GetCredentialsResponse) error {
	return json.NewEncoder(w).Encode(map[string]string{
		"destination": destination, "access_key_id": r.GetAccessKeyId(), "secret_access_key": r.GetSecretAccessKey(),
		"session_token": r.GetSessionToken(), "expiration": expiration(r),
	})
}

func writeEnv(w io.Writer, _ string, r *brokerdv1.GetCredentialsResponse) error {
	for _, v := range credentialVariables(r) {
		name, value, _ := strings.Cut(v, "=")
		// Quoted, so that a shell never interprets a character of a key or token.
		if _, err := fmt.Fprintf(w, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`)); err != nil {
			return err
		}
	}
	return nil
}

func writeINI(w io.Writer, destination string, r *brokerdv1.GetCredentialsResponse) error {
	_, err := fmt.Fprintf(w, "# until %s\n[%s]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n",
		expiration(r), destination, r.GetAccessKeyId(), r.GetSecretAccessKey(), r.GetSessionToken())
	return err
}

// credentialVariables returns the environment variables that every SDK reads.
func credentialVariables(r *brokerdv1.GetCredentialsResponse) []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + r.GetAccessKeyId(), "AWS_SECRET_ACCESS_KEY=" + r.GetSecretAccessKey(),
		"AWS_SESSION_TOKEN=" + r.GetSessionToken(), "AWS_CREDENTIAL_EXPIRATION=" + expiration(r),
	}
}

func expiration(r *brokerdv1.GetCredentialsResponse) string {
	return r.GetExpiration().AsTime().UTC().Format(time.RFC3339)
}

// regionOf returns the Region of a destination in the daemon's configuration.
func regionOf(cmd *cobra.Command, c *client.Client, destination string) (string, error) {
	r, err := c.Admin().ListDestinations(cmd.Context(), &brokerdv1.ListDestinationsRequest{})
	if err != nil {
		return "", c.FromError(err)
	}
	for _, d := range r.GetDestinations() {
		if d.GetName() == destination {
			return d.GetRegion(), nil
		}
	}
	return "", errors.New("the daemon does not show destination " + destination)
}
