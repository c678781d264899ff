package setupcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
)

func setupCreateKey(a *console.App) *cobra.Command {
	var (
		profile, region, alias, endpoint string
		yes                              console.Yes
		out                              console.Format
	)
	cmd := &cobra.Command{
		Use:   "create-key",
		Short: "Make the KMS key in account B, and print its ARN",
		Long: `Make a symmetric KMS key with rotation. KMS chooses the ids of keys, so this comes
before the configuration: write the ARN that is printed as kms_key. Nobody but the
account itself has a right to the key until ` + "`brokerctl setup apply`" + ` gives one.

A second call makes a second key.`,
		Example: `  brokerctl setup create-key --target-profile b-admin --region eu-west-1 --alias audit-logs
  brokerctl setup create-key --yes --target-profile b-admin --region eu-west-1 -o json | jq -r .kms_key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if profile == "" || region == "" {
				return console.UsageError(errors.New("--target-profile and --region are needed"))
			}
			client, err := awsclient.New(config.AWS{CABundle: os.Getenv("AWS_CA_BUNDLE")})
			if err != nil {
				return err
			}
			accounts, err := Connect(cmd.Context(), client, region, awsaccounts.Endpoints{STS: endpoint, KMS: endpoint}, []string{profile})
			if err != nil {
				return err
			}
			for id, caller := range accounts.Callers() {
				question := fmt.Sprintf("A key in account %s, as %s. Type yes to make it: ", id, caller)
				if err := a.Confirm(cmd.Context(), yes, question, "nothing was made"); err != nil {
					return err
				}
				arn, err := accounts.CreateKey(cmd.Context(), id, region, alias)
				if err != nil {
					return err
				}
				if out == console.FormatJSON {
					return json.NewEncoder(a.Out).Encode(map[string]string{"account": id, "kms_key": arn})
				}
				_, err = fmt.Fprintln(a.Out, arn)
				return err
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&profile, "target-profile", "", "profile for account B, a role's ARN, or \"-\" for the environment's credentials")
	fl.StringVar(&region, "region", "", "Region of the bucket")
	fl.StringVar(&alias, "alias", "", "alias of the key, for people: the configuration takes the ARN")
	fl.StringVar(&endpoint, "endpoint", "", "URL of STS and KMS, for a sandbox (default: the environment's, else AWS's)")
	console.YesFlag(cmd, &yes)
	console.ProfileFlags(cmd, "target-profile")
	console.OutputFlag(cmd, &out)
	return cmd
}
