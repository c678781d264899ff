package cli

import (
	"context"
	"os/signal"
	"syscall"
)

// untilHangup ends ctx when the terminal is closed, too, so that what was started
// is cleaned up then; not under nohup, which asks to outlive it.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(syscall.SIGHUP) {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}
