package console

import (
	"context"
	"os/signal"
	"syscall"
)

// UntilHangup also ends ctx when the terminal is closed, so that a command cleans up
// before it exits. Under nohup, which ignores the signal, it changes nothing.
func UntilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}
