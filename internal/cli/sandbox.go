package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/sandbox"
)

func (a *app) sandboxCommand() *cobra.Command {
	var opts sandbox.Options
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run two AWS accounts on this machine, policies enforced",
		Long: `Run STS, IAM, S3 and KMS for two accounts on one loopback address until Ctrl-C.
Every call is signed, authenticated and decided by the policies stored in it. It
is a stand-in for trying and testing, not AWS: what it decides was not compared
with the real service.

It prints the environment that makes the AWS CLI and SDKs use it, as the root
user of account A. Root users cannot assume roles: create an IAM user for that.`,
		Example: `  brokerctl sandbox --addr 127.0.0.1:4566
  brokerctl sandbox > env.sh & sleep 1; . ./env.sh; aws sts get-caller-identity`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			sb, err := sandbox.New(opts)
			if err != nil {
				return err
			}
			defer func() { err = firstError(err, sb.Close()) }()
			lines := []string{fmt.Sprintf("# two accounts at %s: A %s, B %s, Region %s", sb.Endpoint(), sb.AccountA(), sb.AccountB(), sb.Region())}
			if ca := sb.CABundlePEM(); ca != nil {
				dir, err := os.MkdirTemp("", "brokerctl-sandbox-")
				if err != nil {
					return fmt.Errorf("making a directory for the CA bundle: %w", err)
				}
				defer func() { _ = os.RemoveAll(dir) }()
				path := filepath.Join(dir, "ca.pem")
				if err := os.WriteFile(path, ca, 0o600); err != nil {
					return fmt.Errorf("writing the CA bundle: %w", err)
				}
				lines = append(lines, "export AWS_CA_BUNDLE="+path)
			}
			keysA, keysB := sb.RootKeys(sb.AccountA()), sb.RootKeys(sb.AccountB())
			lines = append(lines,
				"export AWS_ENDPOINT_URL="+sb.Endpoint(),
				"export AWS_REGION="+sb.Region(),
				"# root of account A",
				"export AWS_ACCESS_KEY_ID="+keysA.AccessKeyID,
				"export AWS_SECRET_ACCESS_KEY="+keysA.SecretAccessKey,
				"# root of account B",
				"#export AWS_ACCESS_KEY_ID="+keysB.AccessKeyID,
				"#export AWS_SECRET_ACCESS_KEY="+keysB.SecretAccessKey,
				"# runs until Ctrl-C")
			for _, l := range lines {
				if _, err := fmt.Fprintln(a.Out, l); err != nil {
					return err
				}
			}
			return sb.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&opts.Addr, "addr", sandbox.DefaultAddr, "loopback address to listen on")
	cmd.Flags().BoolVar(&opts.PlainHTTP, "plain-http", false, "serve http instead of https")
	cmd.Flags().StringVar(&opts.AccountA, "account-a", sandbox.DefaultAccountA, "id of account A")
	cmd.Flags().StringVar(&opts.AccountB, "account-b", sandbox.DefaultAccountB, "id of account B")
	cmd.Flags().StringVar(&opts.Region, "region", sandbox.DefaultRegion, "home Region")
	return cmd
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
