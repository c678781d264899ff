// Command brokerd delivers bytes from a Unix socket into another account's
// encrypted bucket.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/grpclog"

	"github.com/brokerd/brokerd/internal/awsclient"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/daemon"
	"github.com/brokerd/brokerd/internal/filereader"
)

// thisProgram is also this version after an upgrade replaced the file.
const thisProgram = "/proc/self/exe"

// version is set by the linker for releases.
var version = ""

const (
	exitFailed = 1
	exitUsage  = 64 // EX_USAGE of sysexits.h: restarting does not help
	exitConfig = 78 // EX_CONFIG of sysexits.h: restarting does not help
)

func main() {
	if filereader.IsChild(os.Args) {
		os.Exit(filereader.Serve())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	surviveLogReader()
	if err := run(ctx, command()); err != nil {
		printError(err)
		os.Exit(exitStatus(err))
	}
}

// run runs the command that the arguments name. An error before the command began is one
// of usage: a wrong flag, a wrong argument or an unknown command.
func run(ctx context.Context, root *cobra.Command) error {
	began := false
	root.PersistentPreRun = func(*cobra.Command, []string) { began = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !began {
		return usageError{fmt.Errorf("%s\n`%s --help` shows the usage", strings.TrimSpace(err.Error()), cmd.CommandPath())}
	}
	return err
}

// exitStatus returns the exit status for an error of run.
func exitStatus(err error) int {
	var wrong usageError
	var bad configError
	switch {
	case errors.As(err, &wrong):
		return exitUsage
	case errors.As(err, &bad):
		return exitConfig
	}
	return exitFailed
}

// surviveLogReader keeps the process alive when the reader of its log has gone. The
// Go runtime ends a process that gets SIGPIPE for descriptor 1 or 2, unless the
// process handles the signal. SIGPIPE is not ignored: the commands that the daemon
// starts would inherit that.
func surviveLogReader() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	// gRPC writes its own errors to stderr directly, and would wait for the reader.
	if os.Getenv("GRPC_GO_LOG_SEVERITY_LEVEL") == "" {
		grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	}
}

// errorTimeout is how long the last message waits for the reader of stderr.
const errorTimeout = 2 * time.Second

// printError prints the reason of a failure. A reader of stderr that stands still does
// not keep the process from ending.
func printError(err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = fmt.Fprintln(os.Stderr, "brokerd:", err)
	}()
	select {
	case <-done:
	case <-time.After(errorTimeout):
	}
}

type usageError struct{ error }

type configError struct{ error }

func (e configError) Unwrap() error { return e.error }

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "brokerd",
		Short: "Deliver bytes from a Unix socket into another account's encrypted bucket",
		Long: `brokerd assumes a cross-account role, keeps its session fresh, and takes bytes
over gRPC on a Unix socket: each upload becomes one object, encrypted under the
other account's KMS key, in the other account's bucket.

Exit status: 0 stopped in order, 1 failed, 64 wrong flags or arguments, 78 the
configuration is not valid.`,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.AddCommand(serveCommand(), checkCommand(), versionCommand())
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Args = existingCommand
		}
	}
	return root
}

// existingCommand refuses the arguments of `help` that name no command. Without it, cobra
// prints the usage and exits with 0.
func existingCommand(cmd *cobra.Command, args []string) error {
	if _, rest, err := cmd.Root().Find(args); err != nil || len(rest) > 0 {
		return fmt.Errorf("unknown command %q for \"brokerd\"", strings.Join(args, " "))
	}
	return nil
}

func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "/etc/brokerd/brokerd.yaml", "configuration `file`")
}

func serveCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the daemon until SIGTERM", Args: cobra.NoArgs,
		Example: "  brokerd serve --config /etc/brokerd/brokerd.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadWithEnvironment(path)
			if err != nil {
				return configError{err}
			}
			if err := harden(); err != nil {
				return err
			}
			d, err := daemon.New(cfg, buildVersion(), cmd.ErrOrStderr(), daemon.WithFileReader(thisProgram))
			if err != nil {
				return configError{err}
			}
			return d.Run(cmd.Context())
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func checkCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use: "check-config", Short: "Say whether a configuration file is valid, and what to change", Args: cobra.NoArgs,
		Long: `Reads the file, checks everything that can be checked without a call to AWS,
and prints every error with its line and column. Exit status 78 when there is one.

Rights on watched files are those of the user who runs this command: run it as the
daemon's user. A missing right is a warning, because files and directories come and go.`,
		Example: "  brokerd check-config --config /etc/brokerd/brokerd.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.LoadWithEnvironment(path)
			if err != nil {
				return configError{err}
			}
			if err := daemon.Check(cfg); err != nil {
				return configError{err}
			}
			problems, err := daemon.CheckFiles(cmd.Context(), cfg)
			if err != nil {
				return configError{err}
			}
			for _, p := range problems {
				if p.Final {
					return configError{errors.New(p.String())}
				}
				cmd.PrintErrln("warning:", p)
			}
			for _, w := range slices.Concat(cfg.Warnings(), cfg.FileWarnings(), awsclient.ProfileWarnings(cmd.Context(), cfg)) {
				cmd.PrintErrln("warning:", w)
			}
			for _, s := range cfg.FromEnvironment() {
				cmd.PrintErrln("from the environment:", s)
			}
			_, err = fmt.Fprintf(
				cmd.OutOrStdout(),
				"%s: valid, %s, %s\n",
				path,
				counted(len(cfg.Destinations), "destination"),
				counted(len(cfg.Access), "access rule"),
			)
			return err
		},
	}
	configFlag(cmd, &path)
	return cmd
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "brokerd", buildVersion())
			return err
		},
	}
}

// buildVersion is the release, or the revision that the Go toolchain recorded.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
