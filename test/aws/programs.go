package kit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/brokerd/brokerd/internal/cli"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/daemon"
)

// program says, in the environment, which program the test binary is.
const program = "BROKERD_KIT_PROGRAM"

// Become runs brokerctl or brokerd when this process is started as one of them, and
// returns its exit code. ok is false in the test itself.
func Become() (code int, ok bool) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch os.Getenv(program) {
	case "brokerctl":
		return cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}), true
	case "brokerd":
		if err := serve(ctx, os.Args[1], os.Stderr); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "brokerd:", err)
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

func serve(ctx context.Context, path string, log io.Writer) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	d, err := daemon.New(cfg, "kit", log)
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

// command is this binary as one of the programs.
func (a *Accounts) command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the test binary: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append([]string{program + "=" + name, "PATH=" + os.Getenv("PATH")}, a.Env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	return cmd, nil
}

// brokerctl runs a command to its end. Its output is standard output.
func (a *Accounts) brokerctl(ctx context.Context, args ...string) (out []byte, exit int, err error) {
	cmd, err := a.command(ctx, "brokerctl", args...)
	if err != nil {
		return nil, 0, err
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var failed *exec.ExitError
	if errors.As(err, &failed) && ctx.Err() == nil {
		return stdout.Bytes(), failed.ExitCode(),
			fmt.Errorf("brokerctl %s: exit %d\n%s%s", strings.Join(args, " "), failed.ExitCode(), stdout.Bytes(), stderr.Bytes())
	}
	if err != nil {
		return nil, 0, fmt.Errorf("brokerctl %s: %w", strings.Join(args, " "), err)
	}
	return stdout.Bytes(), 0, nil
}

// daemon starts brokerd. stop ends it and waits.
func (a *Accounts) daemon(ctx context.Context, configPath string) (stop func() error, err error) {
	cmd, err := a.command(ctx, "brokerd", configPath)
	if err != nil {
		return nil, err
	}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting brokerd: %w", err)
	}
	return func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("brokerd: %w\n%s", err, log.Bytes())
		}
		return nil
	}, nil
}
