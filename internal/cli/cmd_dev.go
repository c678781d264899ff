package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/cli/sandboxcmd"
	"github.com/brokerd/brokerd/internal/cli/setupcmd"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/rehearsal"
	"github.com/brokerd/brokerd/internal/sandbox"
)

func devCommand(a *console.App) *cobra.Command {
	d := &dev{App: a}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run your configuration in the sandbox, in the foreground",
		Long: `Start the sandbox with the accounts of your configuration, make the key, the
bucket, the role and the policies that it needs, and run brokerd until Ctrl-C.
No AWS account, no network and no root is needed.

Your file is only read. brokerd runs with a copy of it: the copy has the sandbox's
endpoints, credentials and keys, a socket of its own, and one access rule, for your
user. The differences are printed.

brokerd's log goes to standard error. Everything is removed at the end.`,
		Example: `  brokerctl dev --config brokerd.yaml
  brokerctl dev --config brokerd.yaml --socket-link /tmp/brokerd.sock &
  BROKERD_SOCKET=/tmp/brokerd.sock brokerctl upload -d audit-logs FILE`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := console.UntilHangup(cmd.Context())
			defer stop()
			return d.run(ctx)
		},
	}
	fl := cmd.Flags()
	console.ConfigFlag(cmd, &d.path, "brokerd.yaml", "configuration file")
	fl.StringVar(
		&d.brokerd,
		"brokerd",
		"",
		"the brokerd program (default: next to brokerctl, else built from this source tree, else in $PATH)",
	)
	fl.StringVar(&d.link, "socket-link", "", "make a symbolic link to the socket at this path, so that its place is known in advance")
	console.FileFlags(cmd, "brokerd", "socket-link")
	a.ColorFlag(cmd)
	return cmd
}

// dev is one run of `brokerctl dev`.
type dev struct {
	*console.App
	path, brokerd, link string
}

// run ends with the context, without an error, or when brokerd ends, with one.
func (d *dev) run(ctx context.Context) (err error) {
	text, err := os.ReadFile(d.path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is not there: write one with `brokerctl init`, or name yours with --config", d.path)
	}
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	cfg, err := config.Parse(d.path, text)
	if err != nil {
		return err
	}
	accounts, err := rehearsal.AccountsOf(cfg)
	if err != nil {
		return err
	}
	dir, err := privateDir()
	if err != nil {
		return err
	}
	defer func() { err = console.FirstError(err, os.RemoveAll(dir)) }()
	p := d.Palette(d.Err)
	program, err := findBrokerd(ctx, d.brokerd, dir, func(text string) { _, _ = fmt.Fprintln(d.Err, p.Dim(text)) })
	if err != nil {
		return err
	}
	sb, err := sandbox.New(sandbox.Options{Dir: dir, AccountA: accounts.A, AccountB: accounts.B, Region: accounts.Region})
	if err != nil {
		return err
	}
	sb.Start()
	defer func() { err = console.FirstError(err, sb.Close()) }()
	_, leave, err := sandboxcmd.Announce(sb, "")
	if err != nil {
		return err
	}
	defer leave()
	r, err := rehearsal.Prepare(ctx, rehearsal.Options{Sandbox: sb, Dir: dir, Path: d.path, Text: text, UID: os.Getuid()})
	if err != nil {
		return err
	}
	child, err := startDaemon(program, r.ConfigPath, dir)
	if err != nil {
		return err
	}
	defer child.stop()
	if err := d.ready(ctx, child, r); err != nil {
		return err
	}
	socket := r.Config.Socket.Path
	if d.link != "" {
		if d.link, err = filepath.Abs(d.link); err != nil {
			return err
		}
		if err := linkTo(socket, d.link); err != nil {
			return err
		}
		defer func() { _ = os.Remove(d.link) }()
		socket = d.link
	}
	if err := d.announce(r, socket); err != nil {
		return err
	}
	return d.follow(ctx, child)
}

// ready waits until every destination has a session.
func (d *dev) ready(ctx context.Context, child *daemon, r *rehearsal.Rehearsal) error {
	c, err := client.Dial(r.Config.Socket.Path, client.WithUserAgent("brokerctl-dev"))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	child.onExit(cancel)
	for _, service := range append([]string{""}, slices.Sorted(maps.Keys(r.Config.Destinations))...) {
		if err := waitServing(ctx, c, service); err != nil {
			return fmt.Errorf("brokerd did not become ready: %w\nthe last lines of its log:\n%s", err, child.tail())
		}
	}
	return nil
}

// linkTo makes a link to the socket. A file that is no link of an earlier run is left alone.
func linkTo(socket, link string) error {
	if info, err := os.Lstat(link); err == nil {
		if info.Mode()&os.ModeSymlink == 0 {
			return fmt.Errorf("--socket-link: %s is there and is no symbolic link; it is left as it is", link)
		}
		if err := os.Remove(link); err != nil {
			return fmt.Errorf("--socket-link: %w", err)
		}
	}
	if err := os.Symlink(socket, link); err != nil {
		return fmt.Errorf("--socket-link: %w", err)
	}
	return nil
}

// announce prints the way in, for a shell and for two languages.
func (d *dev) announce(r *rehearsal.Rehearsal, socket string) error {
	p := d.Palette(d.Out)
	names := slices.Sorted(maps.Keys(r.Config.Destinations))
	first := r.Config.Destinations[names[0]]
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("%s brokerd runs with %s in the sandbox. This is not AWS.\n", p.Good("✓"), d.path)
	say("%s", p.Bold(console.Fit(d.Out, "The copy of your configuration, "+r.ConfigPath+", differs in this:")))
	for _, c := range r.Changes {
		say("%s", console.Fit(d.Out, "  - "+c))
	}
	say("\n%s", p.Bold("Made in the accounts, as `brokerctl setup apply` makes it:"))
	for _, c := range r.Made {
		say("%s", console.Fit(d.Out, "  - "+setupcmd.Describe(&c)))
	}
	say("\n%s", p.Bold("Shell"))
	say("  export BROKERD_SOCKET=%s", socket)
	say("  echo hello | brokerctl upload -d %s --name hello.txt -", names[0])
	say("  brokerctl verify %s", names[0])
	say("%s", p.Bold("Account B's view, in another shell"))
	say(`  eval "$(brokerctl sandbox env -o files)"`)
	say(`  aws --profile account-b s3 ls --recursive s3://%s`, first.Bucket)
	say("%s", p.Bold("Go"))
	say(`  c, err := client.Dial(%q)`, socket)
	say(`  body := strings.NewReader("hello")`)
	say(`  res, err := c.Upload(ctx, %q, "hello.txt", body)`, names[0])
	say("%s", p.Bold("Python"))
	say(`  # docs/guide-clients.md has the rest`)
	say(`  channel = grpc.insecure_channel("unix:%s")`, socket)
	say("\nIt runs until Ctrl-C. brokerd's log follows.")
	_, err := io.WriteString(d.Out, b.String())
	return err
}

// follow copies the daemon's log to standard error until the context or the daemon ends.
func (d *dev) follow(ctx context.Context, child *daemon) error {
	log, err := os.Open(child.log.Name())
	if err != nil {
		return fmt.Errorf("reading brokerd's log: %w", err)
	}
	defer func() { _ = log.Close() }() // only read from
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := io.Copy(d.Err, log); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			child.stop()
			_, err := io.Copy(d.Err, log) // its last words
			return err
		case <-child.exited:
			_, err := io.Copy(d.Err, log)
			return errors.Join(errors.New("brokerd ended by itself; its log above has the reason"), err)
		case <-tick.C:
		}
	}
}
