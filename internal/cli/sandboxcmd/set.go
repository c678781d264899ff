package sandboxcmd

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/sandbox"
)

// sandboxSet changes what no AWS API changes, or changes it at once.
func sandboxSet(a *console.App, connect *ConnectFlag) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set",
		Short: "Change the running sandbox outside of the AWS APIs: clock, sessions, organizations, endpoints",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		adminCommand(
			a,
			connect,
			"clock OFFSET",
			"Set the offset of the sandbox's clock: 20m for ahead, -- -1h for back, 0s for none",
			"PUT",
			"clock",
			1,
			func(args []string) (any, error) {
				d, err := time.ParseDuration(args[0])
				return map[string]sandbox.Duration{"offset": sandbox.Duration(d)}, err
			},
		),
		adminCommand(
			a,
			connect,
			"expire-sessions [ROLE-ARN]",
			"Make the sessions of a role, or of all roles, expire now",
			"POST",
			"expire-sessions",
			-1,
			func(args []string) (any, error) {
				return map[string]string{"role": firstOf(args)}, nil
			},
		),
		adminCommand(a, connect, "disable-key KEY-ARN", "Disable a KMS key", "POST", "disable-key", 1, argARN),
		adminCommand(a, connect, "delete-role ROLE-ARN", "Delete a role with its policies", "POST", "delete-role", 1, argARN),
		adminCommand(
			a,
			connect,
			"lifecycle",
			"Apply the buckets' lifecycle rules as of now by the sandbox's clock",
			"POST",
			"lifecycle",
			0,
			func([]string) (any, error) { return nil, nil },
		),
		guardrailsCommand(a, connect),
		endpointCommand(a, connect),
		webIdentityCommand(a, connect),
	)
	for _, c := range cmd.Commands() {
		if examples := sandboxSetExamples[c.Name()]; examples != nil {
			c.Example = "  brokerctl sandbox set " + strings.Join(examples, "\n  brokerctl sandbox set ")
		}
	}
	return cmd
}

// sandboxSetExamples are the examples of the commands that adminCommand makes.
var sandboxSetExamples = map[string][]string{
	"clock":           {"clock 20m", "clock -- -1h"},
	"expire-sessions": {"expire-sessions", "expire-sessions arn:aws:iam::111122223333:role/CrossAccountS3Uploader"},
	"disable-key": {
		"disable-key arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		"disable-key --connect ./accounts arn:aws:kms:eu-west-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab",
	},
	"delete-role": {
		"delete-role arn:aws:iam::111122223333:role/CrossAccountS3Uploader",
		"delete-role --connect ./accounts arn:aws:iam::111122223333:role/CrossAccountS3Uploader",
	},
	"lifecycle": {"lifecycle", "lifecycle -o json"},
}

// sandboxDo is sandboxSet under its former name, which stays for one version.
func sandboxDo(a *console.App, connect *ConnectFlag) *cobra.Command {
	cmd := sandboxSet(a, connect)
	cmd.Use, cmd.Hidden = "do", true
	return cmd
}

func firstOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func argARN(args []string) (any, error) { return map[string]string{"arn": args[0]}, nil }

// adminCommand sends one request and prints its answer. n is the number of
// arguments; -1 is one at most.
func adminCommand(
	a *console.App,
	connect *ConnectFlag,
	use, short, method, path string,
	n int,
	input func([]string) (any, error),
) *cobra.Command {
	args := cobra.ExactArgs(max(n, 0))
	if n < 0 {
		args = cobra.MaximumNArgs(1)
	}
	var out console.Format
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := input(args)
			if err != nil {
				return console.UsageError(err)
			}
			return admin(a, cmd, connect, method, path, in, out)
		},
	}
	console.OutputFlag(cmd, &out)
	return cmd
}

// admin sends one request and prints its answer: as it is, or a line for each field.
func admin(a *console.App, cmd *cobra.Command, connect *ConnectFlag, method, path string, in any, format console.Format) error {
	c, err := connect.Open()
	if err != nil {
		return err
	}
	var out json.RawMessage
	if err := c.do(cmd.Context(), method, path, in, &out); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if format == console.FormatJSON || json.Unmarshal(out, &fields) != nil {
		_, err = fmt.Fprintln(a.Out, string(out))
		return err
	}
	if len(fields) == 0 {
		_, err = fmt.Fprintln(a.Out, "done")
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := string(fields[name])
		var text string
		if json.Unmarshal(fields[name], &text) == nil {
			value = text
		}
		if _, err := fmt.Fprintf(a.Out, "%s: %s\n", strings.ReplaceAll(name, "_", " "), value); err != nil {
			return err
		}
	}
	return nil
}

func guardrailsCommand(a *console.App, connect *ConnectFlag) *cobra.Command {
	var organization string
	account := accountA
	var scps, rcps []string
	var out console.Format
	cmd := &cobra.Command{
		Use:   "guardrails",
		Short: "Set an account's organization and its service and resource control policies",
		Long: `Replace an account's organization and its control policies. Without --organization the
account leaves its organization, and its control policies are removed.`,
		Example: `  brokerctl sandbox set guardrails --account b --organization o-exampleorg01 --rcp only-our-org.json
  brokerctl sandbox set guardrails --account b`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g := sandbox.Guardrails{OrganizationID: organization}
			for _, list := range []struct {
				paths []string
				into  *[]string
			}{{scps, &g.ServiceControl}, {rcps, &g.ResourceControl}} {
				for _, path := range list.paths {
					text, err := os.ReadFile(path)
					if err != nil {
						return fmt.Errorf("reading a policy: %w", err)
					}
					*list.into = append(*list.into, string(text))
				}
			}
			c, err := connect.Open()
			if err != nil {
				return err
			}
			return admin(a, cmd, connect, "PUT", "guardrails", struct {
				Account string `json:"account"`
				sandbox.Guardrails
			}{c.idOf(account), g}, out)
		},
	}
	console.ChoiceFlag(cmd, &account, "account", "", "the account", accountA, accountB)
	cmd.Flags().StringVar(&organization, "organization", "", "organization id, o-…")
	cmd.Flags().StringArrayVar(&scps, "scp", nil, "file with a service control policy (may be repeated)")
	cmd.Flags().StringArrayVar(&rcps, "rcp", nil, "file with a resource control policy (may be repeated)")
	console.FileFlags(cmd, "scp", "rcp")
	console.OutputFlag(cmd, &out)
	return cmd
}

func endpointCommand(a *console.App, connect *ConnectFlag) *cobra.Command {
	var e sandbox.VPCEndpoint
	var out console.Format
	var policy string
	cmd := &cobra.Command{
		Use:   "vpc-endpoint",
		Short: "Open a VPC endpoint: another URL whose calls have its ids and need its policy's permission",
		Example: `  brokerctl sandbox set vpc-endpoint --id vpce-0a1b --vpc vpc-0c2d --policy only-our-buckets.json
  brokerctl sandbox set vpc-endpoint -o json | jq -r .url`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if policy != "" {
				text, err := os.ReadFile(policy)
				if err != nil {
					return fmt.Errorf("reading the endpoint's policy: %w", err)
				}
				e.Policy = string(text)
			}
			return admin(a, cmd, connect, "POST", "vpc-endpoints", e, out)
		},
	}
	cmd.Flags().StringVar(&e.ID, "id", "vpce-0123456789abcdef0", "id of the endpoint")
	cmd.Flags().StringVar(&e.VPC, "vpc", "vpc-0123456789abcdef0", "id of the VPC")
	cmd.Flags().StringVar(&policy, "policy", "", "file with the endpoint's policy (default: all is allowed)")
	console.FileFlags(cmd, "policy")
	console.OutputFlag(cmd, &out)
	return cmd
}

func webIdentityCommand(a *console.App, connect *ConnectFlag) *cobra.Command {
	var id sandbox.WebIdentity
	var lifetime time.Duration
	cmd := &cobra.Command{
		Use:   "web-identity",
		Short: "Sign a token for AssumeRoleWithWebIdentity, as a cluster's identity provider does",
		Example: `  brokerctl sandbox set web-identity --issuer https://oidc.example.com/id/1 \
    --subject system:serviceaccount:logs:uploader > token
  brokerctl sandbox set web-identity --issuer https://oidc.example.com/id/1 --subject pod --lifetime 5m > token`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect.Open()
			if err != nil {
				return err
			}
			id.Lifetime = sandbox.Duration(lifetime)
			var out struct{ Token string }
			if err := c.do(cmd.Context(), "POST", "web-identity", id, &out); err != nil {
				return err
			}
			_, err = fmt.Fprint(a.Out, out.Token)
			return err
		},
	}
	cmd.Flags().StringVar(&id.Issuer, "issuer", "", "URL of the identity provider, as in IAM")
	cmd.Flags().StringVar(&id.Subject, "subject", "", "subject of the token")
	cmd.Flags().StringVar(&id.Audience, "audience", "sts.amazonaws.com", "audience of the token")
	cmd.Flags().DurationVar(&lifetime, "lifetime", time.Hour, "lifetime of the token; negative: it has expired")
	return cmd
}
