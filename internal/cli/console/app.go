package console

import (
	"errors"
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
	Socket     string
	DaemonUser string   // empty: $BROKERD_DAEMON_USER, else the owner of the socket's directory
	asked      []string // the destinations that the command names
	color      ColorMode
}

// SocketFlag registers --socket, for a command that speaks to the daemon, or a group of
// such commands.
func (a *App) SocketFlag(cmd *cobra.Command) {
	flags := cmd.Flags()
	if cmd.HasSubCommands() {
		flags = cmd.PersistentFlags()
	}
	flags.StringVar(&a.Socket, "socket", "", "socket of the daemon (default $BROKERD_SOCKET, else "+client.DefaultSocket+")")
	_ = cobra.MarkFlagFilename(flags, "socket") // the flag is there
	flags.StringVar(&a.DaemonUser, "daemon-user", "",
		"user that the daemon runs as; brokerctl speaks to no other (default $BROKERD_DAEMON_USER, else the owner of the socket's directory)")
}

// Dial connects to the daemon at --socket.
func (a *App) Dial() (*client.Client, error) {
	opts := []client.Option{client.WithUserAgent("brokerctl")}
	if a.DaemonUser != "" {
		opts = append(opts, client.WithDaemonUser(a.DaemonUser))
	}
	return client.Dial(a.Socket, opts...)
}

// ExplainError adds the first steps to the error of a daemon that cannot be reached.
func (a *App) ExplainError(err error) string {
	if text := FirstSteps(err); text != "" {
		return err.Error() + "\n" + text
	}
	return err.Error() + a.meant(err)
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
