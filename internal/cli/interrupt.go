package cli

import (
	"context"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
)

// interruptGrace is how long a command may take to end after Ctrl-C or SIGTERM. A read of
// a terminal, a named pipe or a network file system can be interrupted by nothing: the
// command is then left behind.
const interruptGrace = 700 * time.Millisecond

// cleansUp marks a command that must finish its own clean-up, however long it takes. A
// second signal ends it at once.
const cleansUp = "cleans-up"

func markCleansUp(cmds ...*cobra.Command) {
	for _, cmd := range cmds {
		if cmd.Annotations == nil {
			cmd.Annotations = make(map[string]string)
		}
		cmd.Annotations[cleansUp] = "yes"
	}
}

// interruptible runs a command, and returns at most interruptGrace after ctx ended, unless
// the command or one above it cleans up.
func interruptible(ctx context.Context, root *cobra.Command, args []string) error {
	done := make(chan error, 1)
	waits := true // until the command is known, and when it cleans up
	if cmd, _, err := root.Find(args); err == nil {
		waits = false
		for c := cmd; c != nil; c = c.Parent() {
			waits = waits || c.Annotations[cleansUp] != ""
		}
	}
	go func() { done <- root.ExecuteContext(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if waits {
		return <-done
	}
	timer := time.NewTimer(interruptGrace)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return &console.ExitError{Code: console.ExitSignal, Err: context.Canceled}
	}
}
