package console

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"

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
	mu         sync.Mutex    // guards undone: an interrupted command may still run
	undone     func() string // what an interruption leaves; nil: the command says it itself
}

// OnInterrupt registers the sentence that tells the user what an interruption leaves, such
// as "nothing was stored". It is asked when the command ends, or is left behind.
func (a *App) OnInterrupt(left func() string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.undone = left
}

// interrupted returns the text for a command that Ctrl-C or SIGTERM ended.
func (a *App) interrupted() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.undone != nil {
		if text := a.undone(); text != "" {
			return "interrupted: " + text
		}
	}
	return "interrupted"
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
	if text := err.Error(); errors.Is(err, context.Canceled) && !strings.Contains(text, "interrupted") {
		if strings.Contains(text, "\n") { // a report of what was done
			return "interrupted: " + text
		}
		return a.interrupted()
	}
	if text := FirstSteps(err); text != "" {
		return err.Error() + "\n" + text
	}
	// The reason follows a message that may end with an example of several lines.
	return strings.ReplaceAll(err.Error(), "\n [", "\n[") + a.meant(err)
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
