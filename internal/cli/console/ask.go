package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Yes is -y: the answer "yes" to the question of a command.
type Yes bool

// YesFlag registers -y, for a command that asks.
func YesFlag(cmd *cobra.Command, y *Yes) {
	cmd.Flags().BoolVarP((*bool)(y), "yes", "y", false, "do not ask")
}

// Confirm asks on the terminal, unless -y is given. Every answer except "yes" is an error,
// and so is a missing terminal. nothing says that the command did nothing, for these errors.
func (a *App) Confirm(ctx context.Context, y Yes, question, nothing string) error {
	if y {
		return nil
	}
	if err := a.CanAsk(y, nothing); err != nil {
		return err
	}
	if _, err := io.WriteString(a.Err, question); err != nil {
		return err
	}
	// Reading a terminal cannot be interrupted. The program ends after this, and
	// the reading with it.
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.In).ReadString('\n') // an end without a line is no yes
		answer <- strings.TrimSpace(line)
	}()
	select {
	case line := <-answer:
		if line != "yes" {
			return errors.New(nothing)
		}
		return nil
	case <-ctx.Done():
		return &ExitError{Code: ExitSignal, Err: errors.New("interrupted: " + nothing)}
	}
}

// CanAsk returns an error if the command has to ask and cannot: without -y it needs a
// terminal.
func (a *App) CanAsk(y Yes, nothing string) error {
	if bool(y) || IsTerminal(a.In) && IsTerminal(a.Err) {
		return nil
	}
	return UsageError(errors.New(nothing + ": there is no terminal to ask on; give --yes"))
}
