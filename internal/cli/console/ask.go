package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
)

// Confirm asks on the terminal. Every answer except "yes" is an error.
func (a *App) Confirm(ctx context.Context, question, nothing string) error {
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
		return &ExitError{Code: ExitSignal, Err: errors.New("interrupted; " + nothing)}
	}
}
