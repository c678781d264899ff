package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/sandbox"
	"github.com/brokerd/brokerd/internal/testbed"
)

// maxSocketPath leaves room for the kernel's limit on socket paths, 108 bytes.
const maxSocketPath = 80

func demoCommand(a *console.App) *cobra.Command {
	var brokerd string
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a delivery from start to end on this machine, without AWS",
		Long: `Start two AWS accounts on this machine (the sandbox), write the policies of both,
start the real brokerd, and deliver a real file. Then break a policy, let verify name
it, apply the printed fix, and deliver again. The demonstration needs no AWS account,
no network and no root. It takes a few seconds and removes everything it made.

The sandbox evaluates the policies as AWS documents it, but it is not AWS.

With --keep, everything keeps running until Ctrl-C, and the demonstration prints the
environment variables for the AWS CLI.`,
		Example: "  brokerctl demo\n  brokerctl demo --keep",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &demo{App: a, say: newStory(a), keep: keep, brokerd: brokerd}
			ctx, stop := console.UntilHangup(cmd.Context())
			defer stop()
			err := d.run(ctx)
			if ctx.Err() != nil && (err != nil || !keep) {
				return &console.ExitError{Code: console.ExitSignal, Err: errors.New("interrupted: everything was cleaned up")}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&brokerd, "brokerd", "",
		"the brokerd program (default: next to brokerctl, else built from this source tree, else in $PATH)")
	console.FileFlags(cmd, "brokerd")
	a.ColorFlag(cmd)
	cmd.Flags().BoolVar(&keep, "keep", false, "keep everything running until Ctrl-C, and print the environment")
	return cmd
}

// demo is one run of the demonstration.
type demo struct {
	*console.App
	say     *story
	keep    bool
	brokerd string

	dir    string
	sb     *sandbox.Sandbox
	world  *testbed.World
	client *client.Client
	file   string // path of the uploaded file
	name   string
	crc    string
	size   int64
}

// run runs the steps in order. When it returns, also after an error, the child process,
// the sandbox and the directory are gone.
func (d *demo) run(ctx context.Context) (err error) {
	if d.dir, err = privateDir(); err != nil {
		return err
	}
	defer func() { err = console.FirstError(err, os.RemoveAll(d.dir)) }()
	program, err := findBrokerd(ctx, d.brokerd, d.dir, func(text string) { d.say.line("%s", d.say.p.Dim(text)) })
	if err != nil {
		return err
	}
	if d.sb, err = sandbox.New(sandbox.Options{Dir: d.dir}); err != nil {
		return err
	}
	d.sb.Start()
	defer func() { err = console.FirstError(err, d.sb.Close()) }()

	for _, step := range []func(context.Context) error{d.twoAccounts, d.policies} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	child, err := startDaemon(program, d.world.ConfigPath, d.dir)
	if err != nil {
		return err
	}
	defer child.stop()
	if d.client, err = client.Dial(d.world.SocketPath, client.WithUserAgent("brokerctl-demo")); err != nil {
		return err
	}
	defer func() { _ = d.client.Close() }()
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return d.daemonReady(ctx, child) },
		d.deliver, d.asAccountB, d.allWell, d.breakKey, d.repair, d.calls, d.next,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			if log := child.tail(); log != "" && ctx.Err() == nil {
				err = fmt.Errorf("%w\nthe last lines of brokerd's log:\n%s", err, log)
			}
			return err
		}
	}
	if d.keep {
		d.environment(program)
		<-ctx.Done()
	}
	return nil
}

// privateDir makes a directory for this user only, with a path short enough for a socket.
func privateDir() (string, error) {
	base := os.TempDir()
	if len(base) > maxSocketPath {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "brokerd-demo-") // mode 0700
	if err != nil {
		return "", fmt.Errorf("making a directory for the demonstration: %w", err)
	}
	return filepath.Abs(dir)
}
