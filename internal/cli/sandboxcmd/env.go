package sandboxcmd

import (
	"encoding/json"
	"fmt"
	"io"
	"text/template"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
)

func sandboxEnv(a *console.App, connect *ConnectFlag) *cobra.Command {
	account, form := accountA, envShell
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the settings with which clients use the running sandbox",
		Long: `Print the environment for the AWS CLI and SDKs (sh), a provider block for
Terraform (terraform), the paths of the AWS configuration files (files), or all as JSON.`,
		Example: `  eval "$(brokerctl sandbox env)"
  brokerctl sandbox > sandbox.log & eval "$(brokerctl sandbox env --wait 10s)"
  eval "$(brokerctl sandbox env --account b)"
  brokerctl sandbox env -o terraform > provider.tf`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect.await(cmd.Context(), wait)
			if err != nil {
				return err
			}
			switch form {
			case envShell:
				return writeShellEnv(a.Out, &c.Connection, c.idOf(account))
			case envTerraform:
				return terraformProviders.Execute(a.Out, &c.Connection)
			case envFiles:
				// Variables in the environment would take precedence over the profiles.
				_, err := fmt.Fprintf(
					a.Out,
					"export AWS_CONFIG_FILE=%s\nexport AWS_SHARED_CREDENTIALS_FILE=%s\n"+
						"unset AWS_ENDPOINT_URL AWS_CA_BUNDLE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE\n",
					c.Config,
					c.Credentials,
				)
				return err
			}
			enc := json.NewEncoder(a.Out)
			enc.SetIndent("", "  ")
			return enc.Encode(c.Connection)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "how long to wait for a sandbox that is starting")
	console.ChoiceFlag(cmd, &account, "account", "", "account whose root user is used", accountA, accountB)
	console.FormatFlag(cmd, &form, "for a shell, for Terraform, the AWS files, or all", envShell, envTerraform, envFiles, envJSON)
	return cmd
}

// envForm is a form in which the settings of clients are printed.
type envForm string

const (
	envShell     envForm = "sh"
	envTerraform envForm = "terraform"
	envFiles     envForm = "files"
	envJSON      envForm = "json"
)

// accountName is one of the two accounts, as flags name it.
type accountName string

const (
	accountA accountName = "a"
	accountB accountName = "b"
)

// idOf returns the id of an account.
func (c *Connection) idOf(name accountName) string {
	if name == accountB {
		return c.AccountB
	}
	return c.AccountA
}

func writeShellEnv(w io.Writer, c *Connection, account string) error {
	lines := []string{
		"export AWS_ENDPOINT_URL=" + c.Endpoint,
		"export AWS_REGION=" + c.Region,
		"export AWS_DEFAULT_REGION=" + c.Region,
		"export AWS_CONFIG_FILE=" + c.Config,
		"export AWS_SHARED_CREDENTIALS_FILE=" + c.Credentials,
		"export AWS_EC2_METADATA_DISABLED=true",
	}
	if c.CABundle != "" {
		lines = append(lines, "export AWS_CA_BUNDLE="+c.CABundle)
	}
	name := "A"
	if account == c.AccountB {
		name = "B"
	}
	k := c.Keys[account]
	lines = append(
		lines,
		"unset AWS_SESSION_TOKEN AWS_PROFILE",
		"# root of account "+name,
		"export AWS_ACCESS_KEY_ID="+k.AccessKeyID,
		"export AWS_SECRET_ACCESS_KEY="+k.SecretAccessKey,
	)
	for _, l := range lines {
		if _, err := fmt.Fprintln(w, l); err != nil {
			return err
		}
	}
	return nil
}

var terraformProviders = template.Must(template.New("terraform").Funcs(template.FuncMap{
	"key": func(c *Connection, account string) rootKey { return c.Keys[account] },
}).Parse(`# Two accounts of the sandbox: the default provider is account A, aws.b is account B.
provider "aws" {
  access_key = "{{(key . .AccountA).AccessKeyID}}"
  secret_key = "{{(key . .AccountA).SecretAccessKey}}"
` + terraformCommon + `}

provider "aws" {
  alias      = "b"
  access_key = "{{(key . .AccountB).AccessKeyID}}"
  secret_key = "{{(key . .AccountB).SecretAccessKey}}"
` + terraformCommon + `}
`))

const terraformCommon = `  region     = "{{.Region}}"
{{- if .CABundle}}
  custom_ca_bundle = "{{.CABundle}}"
{{- end}}
  s3_use_path_style           = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = false
  endpoints {
    cloudtrail = "{{.Endpoint}}"
    iam        = "{{.Endpoint}}"
    kms        = "{{.Endpoint}}"
    s3         = "{{.Endpoint}}"
    sts        = "{{.Endpoint}}"
  }
`
