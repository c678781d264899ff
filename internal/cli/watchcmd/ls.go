package watchcmd

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/cli/console"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func lsCommand(a *console.App) *cobra.Command {
	var only []string
	var limit uint32
	var out console.Format
	cmd := &cobra.Command{
		Use:   "ls [NAME]",
		Short: "List the files of a watch, or of all, in the order of their delivery",
		Long: `List the files that a watch knows, in the order of their delivery. RULE is the rule that
decided the state, and SINCE the time since then.

With -o json, the output is one line for each file.`,
		Example: `  brokerctl watch ls
  brokerctl watch ls app-archives --state dead,refused
  brokerctl watch ls --state dead -o json | jq -r .path`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkStates(only); err != nil {
				return err
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			l := newList(a, out, false)
			req := &brokerdv1.ListWatchedFilesRequest{Watch: argument(args), States: only, Limit: limit}
			if err := eachFile(cmd.Context(), c, req, l.add); err != nil {
				return err
			}
			return l.end()
		},
	}
	cmd.Flags().StringSliceVar(&only, "state", nil, "only these: "+joined(states))
	cmd.Flags().Uint32Var(&limit, "limit", 0, "at most so many; 0: all")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp))
	console.OutputFlag(cmd, &out)
	return cmd
}

func planCommand(a *console.App) *cobra.Command {
	var file string
	var out console.Format
	cmd := &cobra.Command{
		Use:   "plan [NAME]",
		Short: "Show what would happen to each file, without doing it",
		Long: `Scan now, and show for each file the rule that holds it back and since when, the key of
its object, and what happens to the file after its delivery. Nothing is sent, moved or
removed.

The daemon makes the plan. With --config, this command makes it from a file, without a
daemon, and with the rights of this user: for a configuration that is not in use yet.`,
		Example: `  brokerctl watch plan
  brokerctl watch plan app-archives --config ./brokerd.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l := newList(a, out, true)
			if file != "" {
				if err := planLocally(cmd.Context(), a, file, argument(args), l.add); err != nil {
					return err
				}
				return l.end()
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			if err := eachFile(cmd.Context(), c, &brokerdv1.ListWatchedFilesRequest{Watch: argument(args), Plan: true}, l.add); err != nil {
				return err
			}
			return l.end()
		},
	}
	console.ConfigFlag(cmd, &file, "", "plan with this configuration file, without a daemon")
	console.OutputFlag(cmd, &out)
	return cmd
}

func argument(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func joined(words []string) string { return strings.Join(words, ", ") }

// list prints files as they arrive.
type list struct {
	*console.App
	json, plan bool
	table      *console.Table
	now        time.Time
	files      uint64
	bytes      int64
	notes      []string
}

// shownNotes is how many errors are printed below the table.
const shownNotes = 5

func newList(a *console.App, out console.Format, plan bool) *list {
	heading := []string{"WATCH", "STATE", "RULE", "SINCE", "SIZE", "TRIES", "FILE"}
	if plan {
		heading = []string{"WATCH", "STATE", "RULE", "SINCE", "SIZE", "THEN", "FILE", "KEY"}
	}
	t := console.NewTable(a.Out, heading...)
	t.Fold, t.Shrink = 6, []int{0} // on a narrow terminal the path has a line of its own
	return &list{App: a, json: out == console.FormatJSON, plan: plan, table: t, now: time.Now()}
}

func (l *list) add(f File) error {
	if l.json {
		return json.NewEncoder(l.Out).Encode(f)
	}
	l.files++
	l.bytes += f.Size
	since := "-"
	if f.Since != nil {
		since = console.Span(true, max(0, l.now.Sub(*f.Since)))
	}
	row := []string{f.Watch, f.State, f.Rule, since, console.BytesText(f.Size)}
	if l.plan {
		row = append(row, f.Action, console.Printable(f.Path), console.Printable(f.Key))
	} else {
		row = append(row, fmt.Sprint(f.Tries), console.Printable(f.Path))
	}
	if f.Error != "" && len(l.notes) < shownNotes {
		l.notes = append(l.notes, console.Printable(f.Path)+": "+console.Printable(f.Error))
	}
	return l.table.Add(row...)
}

// end prints the total, and the first errors.
func (l *list) end() error {
	if l.json {
		return nil
	}
	if l.files == 0 {
		_, err := fmt.Fprintln(l.Out, "there are no such files")
		return err
	}
	if err := l.table.Flush(); err != nil {
		return err
	}
	text := fmt.Sprintf("\n%s, %s", console.Counted(l.files, "file"), console.BytesText(l.bytes))
	for _, n := range l.notes {
		text += "\n" + n
	}
	_, err := fmt.Fprintln(l.Out, console.Fit(l.Out, text))
	return err
}
