package sandboxcmd

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/sandbox"
)

type sandboxFlags struct {
	opts         sandbox.Options
	faults       []string
	rootA, rootB string
	clock        time.Duration
}

// SandboxCommand is `brokerctl sandbox` with its subcommands.
func SandboxCommand(a *console.App) *cobra.Command {
	var f sandboxFlags
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Run two AWS accounts on this machine, policies enforced",
		Long: `Run STS, IAM, S3, KMS and CloudTrail for two accounts on one loopback address
until Ctrl-C. The sandbox authenticates every call and decides it by the stored
policies. It models AWS for tests and rehearsals; this project has not compared it
with the real services.

It prints the environment with which the AWS CLI, SDKs and Terraform use it, as
the root user of account A. ` + "`brokerctl sandbox env`" + ` prints it again, for either
account. Root users cannot assume roles: create an IAM user for that.

The state is in memory, unless --data names a directory for it.`,
		Example: `  brokerctl sandbox --addr 127.0.0.1:4566 --data ./accounts
  eval "$(brokerctl sandbox env)" && aws sts get-caller-identity
  brokerctl sandbox events --follow
  brokerctl sandbox fault add s3:UploadPart code=throttle rate=0.1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSandbox(a, cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.opts.Addr, "addr", sandbox.DefaultAddr, "loopback address to listen on")
	flags.BoolVar(&f.opts.PlainHTTP, "plain-http", false, "serve http instead of https; SSE-KMS is then refused, as on AWS")
	flags.StringVar(&f.opts.AccountA, "account-a", "", "id of account A (default "+sandbox.DefaultAccountA+", or that of --data)")
	flags.StringVar(&f.opts.AccountB, "account-b", "", "id of account B (default "+sandbox.DefaultAccountB+", or that of --data)")
	flags.StringVar(&f.opts.Region, "region", "", "home Region (default "+sandbox.DefaultRegion+", or that of --data)")
	flags.StringVar(&f.rootA, "root-key-a", "", "access key of account A's root user, ID:SECRET (default: random)")
	flags.StringVar(&f.rootB, "root-key-b", "", "access key of account B's root user, ID:SECRET (default: random)")
	flags.StringVar(&f.opts.DataDir, "data", "", "directory that keeps the state across restarts (default: none, memory)")
	flags.StringArrayVar(&f.faults, "fault", nil, `fault from the start, as in "sandbox fault add" (may be repeated)`)
	flags.Uint64Var(&f.opts.Seed, "seed", 0, "seed that decides which calls a fault with a rate hits")
	flags.DurationVar(&f.clock, "clock-offset", 0, "offset of the sandbox's clock against this machine's")
	flags.BoolVar(&f.opts.SkipChecksums, "skip-checksums", false, "do not compute digests and checksums of object data, for benchmarks")
	console.DirectoryFlags(cmd, "data")
	var c ConnectFlag
	for _, sub := range []*cobra.Command{sandboxEnv(a, &c), sandboxEvents(a, &c), sandboxFault(a, &c), sandboxSet(a, &c), sandboxDo(a, &c)} {
		c.register(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

func runSandbox(a *console.App, cmd *cobra.Command, f *sandboxFlags) (err error) {
	opts := f.opts
	for _, text := range f.faults {
		fault, err := sandbox.ParseFault(text)
		if err != nil {
			return console.UsageError(err)
		}
		opts.Faults = append(opts.Faults, fault)
	}
	opts.RootKeys = map[string]sandbox.Credentials{}
	accountA, accountB := cmp.Or(opts.AccountA, sandbox.DefaultAccountA), cmp.Or(opts.AccountB, sandbox.DefaultAccountB)
	for account, text := range map[string]string{accountA: f.rootA, accountB: f.rootB} {
		if text == "" {
			continue
		}
		id, secret, ok := strings.Cut(text, ":")
		if !ok || id == "" || secret == "" {
			return console.UsageError(errors.New("a root key is ID:SECRET"))
		}
		opts.RootKeys[account] = sandbox.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	}
	sb, err := sandbox.New(opts)
	if err != nil {
		return err
	}
	defer func() { err = console.FirstError(err, sb.Close()) }()
	sb.SetClockOffset(f.clock)
	conn, leave, err := Announce(sb, opts.DataDir)
	if err != nil {
		return err
	}
	defer leave()
	if err := writeSandboxBanner(a.Out, conn); err != nil {
		return err
	}
	ctx, stop := console.UntilHangup(cmd.Context())
	defer stop()
	return sb.Run(ctx)
}

// writeSandboxBanner prints lines that a shell can evaluate and a person can read.
func writeSandboxBanner(w io.Writer, c *Connection) error {
	if _, err := fmt.Fprintf(w, "# two accounts at %s: A %s, B %s, Region %s\n", c.Endpoint, c.AccountA, c.AccountB, c.Region); err != nil {
		return err
	}
	if err := writeShellEnv(w, c, c.AccountA); err != nil {
		return err
	}
	b := c.Keys[c.AccountB]
	_, err := fmt.Fprintf(w, `# root of account B
#export AWS_ACCESS_KEY_ID=%s
#export AWS_SECRET_ACCESS_KEY=%s
# both are profiles, too: aws --profile account-a …, aws --profile account-b …
# in another terminal:  eval "$(brokerctl sandbox env)";  brokerctl sandbox events --follow
# runs until Ctrl-C
`, b.AccessKeyID, b.SecretAccessKey)
	return err
}
