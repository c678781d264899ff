package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"github.com/brokerd/brokerd/client"
)

// Streams are the standard input, output and error of the commands.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// app holds the state that all commands share.
type app struct {
	Streams
	socket string
}

// Main runs brokerctl with args (without the program's name) and returns its exit code.
func Main(ctx context.Context, args []string, s Streams) int {
	a := &app{Streams: s}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := interruptible(ctx, root, args)
	if err != nil && err.Error() != "" {
		_, _ = fmt.Fprintln(s.Err, "brokerctl: "+a.explainError(err))
	}
	return exitCode(err)
}

func (a *app) root() *cobra.Command {
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
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
	})
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "socket of the daemon (default $BROKERD_SOCKET, else "+client.DefaultSocket+")")
	root.AddCommand(a.initCommand(), a.setupCommand(), a.uploadCommand(), a.verifyCommand(), a.statusCommand(), a.waitCommand(),
		a.spoolCommand(), a.drainCommand(), a.reloadCommand(), a.sessionsCommand(), a.credentialsCommand(), a.execCommand(),
		a.identityCommand(), a.explainCommand(), a.policyCommand(),
		a.demoCommand(), a.devCommand(), a.sandboxCommand(), a.versionCommand(), exitCodesTopic())
	for _, c := range append(root.Commands(), root) {
		wrapArgs(c)
		switch c.Name() {
		case "demo", "dev", "sandbox", "exec", "verify", "setup":
			markCleansUp(c)
		}
	}
	return root
}

// wrapArgs turns errors about arguments into usage errors.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
			}
			return nil
		}
	}
}

func (a *app) dial() (*client.Client, error) {
	return client.Dial(a.socket, client.WithUserAgent("brokerctl"))
}

// explainError adds advice to the error of a daemon that cannot be reached.
func (a *app) explainError(err error) string {
	text := err.Error()
	var ce *client.Error
	if errors.As(err, &ce) && ce.Code == codes.Unavailable && ce.Reason == "" {
		text += "\n  The socket is the value of --socket, else $BROKERD_SOCKET, else " + client.DefaultSocket
	}
	return text
}

// format is the value of -o.
type format string

const (
	formatText format = "text"
	formatJSON format = "json"
)

func (f *format) String() string { return string(*f) }

// Set takes text or json.
func (f *format) Set(s string) error {
	if s != string(formatText) && s != string(formatJSON) {
		return fmt.Errorf("%q is not a format: text or json", s)
	}
	*f = format(s)
	return nil
}

// Type returns the placeholder of the help text.
func (f *format) Type() string { return "text|json" }

func outputFlag(cmd *cobra.Command, f *format) {
	*f = formatText
	cmd.Flags().VarP(f, "output", "o", "text, or json for scripts")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}
