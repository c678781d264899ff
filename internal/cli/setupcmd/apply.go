package setupcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/setup"
	"github.com/brokerd/brokerd/internal/setup/awsaccounts"
)

var (
	errNotProven  = errors.New("after these changes an upload would still be refused: see ✗ above")
	errUnrepaired = errors.New("no change of setup helps, and an upload is refused: see ✗ above, and repair the policy that it names")
)

// notProven is the error of a plan whose proof fails; nil for any other plan.
func notProven(p *setup.Plan) error {
	switch {
	case p.Proven() != setup.Fails:
		return nil
	case changeNothing(p):
		return errUnrepaired
	}
	return errNotProven
}

// changeNothing reports whether every document and setting is as the configuration asks.
func changeNothing(p *setup.Plan) bool {
	return !slices.ContainsFunc(p.Changes, func(c setup.Change) bool { return c.Op != setup.OpKeep })
}

// applyFlags are what apply and remove share.
type applyFlags struct {
	setupFlags
	yes    console.Yes
	backup string
	wait   time.Duration
	remove bool // the command is remove; no flag sets it
}

func (f *applyFlags) add(a *console.App, cmd *cobra.Command) {
	f.setupFlags.add(a, cmd)
	fl := cmd.Flags()
	console.YesFlag(cmd, &f.yes)
	fl.StringVar(
		&f.backup,
		"backup",
		"",
		"directory for backups of replaced documents (default $XDG_STATE_HOME/brokerd/setup/TIME, else ~/.local/state/brokerd/setup/TIME)",
	)
	fl.DurationVar(&f.wait, "wait", 2*time.Minute, "how long AWS may take to know a new role everywhere")
	console.DirectoryFlags(cmd, "backup")
}

const backupHelp = `
Right before each write the document is read again: when it is not the one that
the plan was made with, apply stops. What is replaced is kept in --backup. When a
call fails, the rest is left undone, and the same command goes on from there.`

func setupApply(a *console.App, verify VerifyFunc) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply [DESTINATION…]",
		Short: "Change the accounts as the configuration asks",
		Long: `Plan, show the plan, ask, and make the changes: the roles of account A, then key
and bucket of account B. Then verify, when the daemon's own source credentials
are here.
` + backupHelp + "\n" + accountsHelp + `

Exits 0 when everything is as the configuration asks, 1 when something failed.`,
		Example: `  brokerctl setup apply --config brokerd.yaml --source-profile a-admin --target-profile b-admin
  brokerctl setup apply audit-logs --config brokerd.yaml --target-profile b-admin --yes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSetup(cmd.Context(), a, &f, args, verify)
		},
	}
	f.add(a, cmd)
	return cmd
}

func setupRemove(a *console.App) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:        "remove [DESTINATION…]",
		SuggestFor: []string{"destroy", "delete", "rm", "revoke"},
		Short:      "Take out exactly what setup has put into the accounts",
		Long: `Take our statements out of the policies, and leave those of others as they were
before, byte for byte. Roles go when setup made them and no other policy is
attached to them. Buckets, objects and keys stay, and so do the settings that
shield the bucket: public-access block, ownership, default encryption.

Without a destination, everything of the configuration is taken out. Remove a
destination here before you take it out of the file.
` + backupHelp + "\n" + accountsHelp + `

Exits 0 when nothing of ours is left, 1 when something failed.`,
		Example: `  brokerctl setup remove audit-logs --config brokerd.yaml --source-profile a-admin --target-profile b-admin
  brokerctl setup remove --yes --config brokerd.yaml --target-profile b-admin -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.remove = true
			return runSetup(cmd.Context(), a, &f, args, nil)
		},
	}
	f.add(a, cmd)
	return cmd
}

// runSetup plans, asks, and makes or removes the arrangement. It verifies one that it made.
func runSetup(ctx context.Context, a *console.App, f *applyFlags, args []string, verify VerifyFunc) error {
	destinations, err := f.named.Named(args)
	if err != nil {
		return err
	}
	if f.out == console.FormatJSON && !f.yes {
		return console.UsageError(errors.New("-o json needs --yes: it does not ask for confirmation"))
	}
	a.OnInterrupt(func() string { return "nothing was changed" })
	r, err := f.open(ctx, destinations)
	if err != nil {
		return err
	}
	p, err := r.plan(ctx, setup.PlanOptions{Destinations: destinations, Remove: f.remove})
	if err != nil {
		return err
	}
	if f.out == console.FormatText {
		if err := showPlan(a, r, p, &f.setupFlags); err != nil {
			return err
		}
	} else if _, err := writeHandOvers(f.handOver, r, p); err != nil {
		return err
	}
	switch {
	case len(p.Unknown()) > 0:
		return fmt.Errorf("nothing was changed: %s could not be decided", console.Counted(len(p.Unknown()), "part"))
	case !f.remove && notProven(p) != nil:
		return fmt.Errorf("nothing was changed: %w", notProven(p))
	}
	if p.Pending() {
		if err := confirmSetup(ctx, a, f.yes, f.remove); err != nil {
			return err
		}
	}
	a.OnInterrupt(nil) // from here on the report says it
	out, err := change(ctx, a, r, p, f)
	result := &setupResult{Outcome: out}
	if err == nil && !f.remove {
		a.OnInterrupt(func() string { return unverified(len(out.Done)) })
		result.Verification, err = verify(ctx, a, VerifyRequest{
			Path: f.config, Config: r.cfg, State: r.state, Accounts: r.accounts, Destinations: destinations,
			Changed: len(out.Done) > 0, Wait: f.wait, Format: f.out,
		})
	}
	if f.out == console.FormatJSON {
		enc := json.NewEncoder(a.Out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if werr := enc.Encode(result); werr != nil {
			return werr
		}
	}
	return err
}

// unverified tells what an interruption of the verification leaves.
func unverified(made int) string {
	if made == 0 {
		return "nothing was changed, and the arrangement is not verified: run `brokerctl verify`"
	}
	return console.Counted(made, "change") + " made, and not verified: run `brokerctl verify`"
}

// setupResult is what apply and remove tell scripts.
type setupResult struct {
	awsaccounts.Outcome
	Verification
}

// confirmSetup asks on a terminal. Elsewhere --yes has to be given.
func confirmSetup(ctx context.Context, a *console.App, yes console.Yes, remove bool) error {
	question := "Type yes to make these changes: "
	if remove {
		question = "Type yes to take this out: "
	}
	return a.Confirm(ctx, yes, question, "nothing was changed")
}

func change(ctx context.Context, a *console.App, r *arrangement, p *setup.Plan, f *applyFlags) (awsaccounts.Outcome, error) {
	dir := f.backup
	if dir == "" {
		dir = backupDir()
	}
	v := newPlanView(a)
	text := f.out == console.FormatText
	out, err := r.accounts.Apply(
		ctx,
		p,
		awsaccounts.ApplyOptions{Backup: dir, Wait: f.wait, Notify: func(c *setup.Change, s awsaccounts.Stage) {
			switch {
			case !text || s == awsaccounts.Writing:
			case s == awsaccounts.Waiting:
				v.line("  %s %s: AWS does not know the new role everywhere yet", v.p.Dim("…"), Describe(c))
			default:
				v.line("  %s %s  %s", v.p.Good("✓"), Describe(c), v.p.Dim(string(s)))
			}
		}},
	)
	if text && out.Backup != "" {
		v.line("Backups of the replaced documents are in %s", out.Backup)
	}
	if err == nil {
		return out, v.err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n  Done: %s. Not done: %s.", err, names(out.Done), names(append([]setup.Change{*out.Failed}, out.Left...)))
	b.WriteString("\n  Nothing is half written. Repair the cause and run the same command again: it goes on from here.")
	if out.Backup != "" {
		b.WriteString("\n  Backups of the replaced documents are in " + out.Backup)
	}
	return out, fmt.Errorf("%s%w", b.String(), silently{err})
}

// silently keeps an error in the chain whose text has been said.
type silently struct{ error }

func (s silently) Error() string { return "" }
func (s silently) Unwrap() error { return s.error }

func names(list []setup.Change) string {
	if len(list) == 0 {
		return "nothing"
	}
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = string(c.Kind) + " of " + c.ARN[strings.LastIndexAny(c.ARN, ":/")+1:]
	}
	return strings.Join(out, ", ")
}

// backupDir is where a run keeps the documents that it replaces.
func backupDir() string {
	return filepath.Join(console.StateDir(), "brokerd", "setup", time.Now().UTC().Format("20060102T150405.000Z"))
}
