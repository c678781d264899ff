package initcmd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/config"
	"github.com/brokerd/brokerd/internal/config/edit"
)

// InitCommand is `brokerctl init`.
func InitCommand(a *console.App) *cobra.Command {
	i := &Initiation{App: a}
	var yes console.Yes
	cmd := &cobra.Command{
		Use:        "init",
		SuggestFor: []string{"new", "create", "configure", "add"},
		Short:      "Write a configuration file, or add a destination to one",
		Long: `Write a commented configuration file for brokerd from a few answers: the two
accounts, the bucket, the key, and the identity of the daemon. On a terminal it asks
for values that no flag gives. Elsewhere, and with --yes, it never asks, and names the
missing flags.

An existing file keeps every byte, with comments and layout: init inserts the
destination. The same call twice changes nothing. The file is written atomically.

Init checks the file as the daemon does. If AWS can be reached, it also checks whose
credentials these are and where the bucket is. A check without an answer shows "?" and
stops nothing.`,
		Example: `  brokerctl init --config brokerd.yaml
  brokerctl init --config brokerd.yaml --yes --source-account 111122223333 \
    --target-account 444455556666 --bucket tenant-s3-test-bucket --region eu-west-1 \
    --kms-key 1234abcd-12ab-34cd-56ef-1234567890ab --runs-as ec2 --principal app-host
  brokerctl init --config brokerd.yaml -d backups --bucket tenant-backups     # adds a destination`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i.lines = newAnswers(a.In)
			i.asks = console.IsTerminal(a.In) && !bool(yes)
			return i.run(cmd.Context())
		},
	}
	fl := cmd.Flags()
	console.ConfigFlag(cmd, &i.Path, "brokerd.yaml", "file to write, or to add to")
	console.YesFlag(cmd, &yes)
	i.ColorFlag(cmd)
	fl.BoolVar(&i.print, "print", false, "print what would be written, and write nothing")
	fl.BoolVar(&i.offline, "offline", false, "do not look at AWS")
	i.Answers.register(cmd)
	return cmd
}

// Initiation is one run of `brokerctl init`.
type Initiation struct {
	*console.App
	Path           string
	asks           bool
	print, offline bool
	lines          *answerReader
	Answers        answers
	given          []string // flags that were given
}

func (i *Initiation) run(ctx context.Context) error {
	old, info, err := console.ReadConfigFile(i.Path)
	if err != nil {
		return err
	}
	if old != nil && !console.OnlyComments(old) {
		if i.Answers.File, err = config.Parse(i.Path, old); err != nil {
			return fmt.Errorf("the file is there and not valid, so nothing is added to it:\n%w", err)
		}
	}
	i.Answers.sandbox = findSandbox()
	if err := i.collect(ctx); err != nil {
		return err
	}
	var d edit.Draft
	var text []byte
	for {
		if err := i.makeInSandbox(ctx); err != nil {
			return err
		}
		d = i.Answers.draft()
		text, err = i.Compose(old, d)
		var exists *edit.ExistsError
		if errors.As(err, &exists) {
			if !exists.Same {
				return fmt.Errorf("%w and differs: change it by hand, or give another --destination", err)
			}
			_, err = fmt.Fprintf(i.Out, "%s: destination %s is there already, nothing was changed\n", i.Path, exists.Name)
			return err
		}
		if err != nil {
			return err
		}
		if i.print {
			_, err := i.Out.Write(text)
			return err
		}
		if !i.asks {
			break
		}
		err := i.agree(ctx, old, text)
		if err == nil {
			break
		}
		if !errors.Is(err, errBack) {
			return err
		}
		if err := i.dialogue(ctx, i.before(len(i.Answers.questions()))); err != nil {
			return err
		}
	}
	if err := console.WriteConfigFile(i.Path, old, info, text); err != nil {
		return err
	}
	forgetAnswers()
	done := "written"
	if old != nil {
		done = "destination " + d.Destination.Name + " added"
	}
	if _, err := fmt.Fprintf(i.Out, "%s: %s\n", i.Path, done); err != nil {
		return err
	}
	cfg, err := config.Parse(i.Path, text)
	if err != nil {
		return err // cannot be: compose has parsed it
	}
	if err := i.look(ctx, cfg, cfg.Destinations[d.Destination.Name]); err != nil {
		return err
	}
	return i.next(d.Destination.Name)
}

// Compose returns the new text of the whole file.
func (i *Initiation) Compose(old []byte, d edit.Draft) ([]byte, error) {
	if i.Answers.File != nil {
		return edit.Add(i.Path, old, d)
	}
	text, err := edit.New(i.Path, d)
	if err != nil {
		return nil, err
	}
	return append(old[:len(old):len(old)], text...), nil
}

// makeInSandbox creates the key and the user that the answers name, in a sandbox.
func (i *Initiation) makeInSandbox(ctx context.Context) (err error) {
	s := &i.Answers
	if s.sandbox == nil || i.print || s.kmsKey != newKey && s.File != nil {
		return nil
	}
	if s.kmsKey == newKey {
		if s.kmsKey, err = s.sandbox.makeKey(ctx); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(i.Err, "made in the sandbox: key %s\n", s.kmsKey); err != nil {
			return err
		}
	}
	if s.runsAs != config.RunsUser || strings.Contains(s.principal, ":") {
		return nil
	}
	if err := s.sandbox.makeUser(ctx, s.principal); err != nil {
		return err
	}
	_, err = fmt.Fprintf(i.Err, "made in the sandbox: user %s, with its access key in %s\n", s.principal, s.sandbox.credentialsFile())
	return err
}

// next prints the commands that follow. In a sandbox they work as printed.
func (i *Initiation) next(name string) error {
	if s := i.Answers.sandbox; s != nil {
		_, err := fmt.Fprintf(i.Out, `
Next, in the sandbox:
  brokerctl setup apply --yes --config %[1]s --source-profile account-a --target-profile account-b
  brokerd serve --config %[1]s &
  export BROKERD_SOCKET=%[3]s/brokerd.sock
  echo hello | brokerctl upload --wait -d %[2]s --name hello.txt -
`, i.Path, name, s.dir())
		return err
	}
	_, err := fmt.Fprintf(i.Out, `
Next, without AWS:
  brokerctl dev --config %[1]s

Next, on AWS:
  brokerctl setup plan --config %[1]s \
    --source-profile A --target-profile B
  brokerctl verify --standalone --config %[1]s %[2]s

For your own tools (or cloudformation, cdk-json, json, cli):
  brokerctl setup render -o terraform --config %[1]s
`, i.Path, name)
	return err
}
