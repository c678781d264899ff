package console

import (
	"errors"
	"fmt"
	"io"

	"github.com/brokerd/brokerd/client"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
)

// Streams are the standard input, output and error of the commands.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// App holds the state that all commands share.
type App struct {
	Streams
	Socket string
}

// WrapArgs turns errors about arguments into usage errors.
func WrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return UsageError(fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath()))
			}
			return nil
		}
	}
}

// Dial connects to the daemon at --socket.
func (a *App) Dial() (*client.Client, error) {
	return client.Dial(a.Socket, client.WithUserAgent("brokerctl"))
}

// ExplainError adds the first steps to the error of a daemon that cannot be reached.
func (a *App) ExplainError(err error) string {
	if text := FirstSteps(err); text != "" {
		return err.Error() + "\n" + text
	}
	return err.Error()
}

// FirstSteps returns the steps towards a daemon that answers; empty when one answered.
func FirstSteps(err error) string {
	var ce *client.Error
	if !errors.As(err, &ce) || ce.Code != codes.Unavailable || ce.Reason != "" {
		return ""
	}
	return `  Start it:              brokerd serve --config FILE, or: sudo systemctl start brokerd
  Name another socket:   --socket PATH, or: export BROKERD_SOCKET=PATH
  Write a configuration: brokerctl init
  Try it without AWS:    brokerctl demo, or with your configuration: brokerctl dev`
}

// Format is the value of -o.
type Format string

// The formats.
const (
	FormatText Format = "text"
	FormatJSON Format = "json"
)

func (f *Format) String() string { return string(*f) }

// Set takes text or json.
func (f *Format) Set(s string) error {
	if s != string(FormatText) && s != string(FormatJSON) {
		return fmt.Errorf("%q is not a format: text or json", s)
	}
	*f = Format(s)
	return nil
}

// Type returns the placeholder of the help text.
func (f *Format) Type() string { return "text|json" }

// OutputFlag registers -o with the default text.
func OutputFlag(cmd *cobra.Command, f *Format) {
	*f = FormatText
	cmd.Flags().VarP(f, "output", "o", "text, or json for scripts")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}
