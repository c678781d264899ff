package watchcmd

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/brokerd/brokerd/internal/cli/console"
	"github.com/brokerd/brokerd/internal/watch"
	"github.com/brokerd/brokerd/internal/watch/delivery"
)

func runCommand(a *console.App) *cobra.Command {
	var file string
	var once bool
	var out console.Format
	cmd := &cobra.Command{
		Use:   "run --once [NAME]",
		Short: "Deliver the finished files once, without a daemon",
		Long: `Deliver the files of a watch, or of all watches, in this process and with the rights of
this user, for example from cron. The command ends when every finished file was tried
once; that takes at least finished.idle.

It uses the daemon's journal, and refuses to run while a daemon does. A file that both
would deliver is one object all the same.

Exits 0 if every finished file is delivered, 75 if a delivery failed and may succeed
later, 1 if a file is dead or refused.`,
		Example: `  brokerctl watch run --once
  brokerctl watch run --once app-archives --config ./brokerd.yaml -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !once {
				return console.UsageError(errors.New("only --once is possible: the daemon delivers continuously"))
			}
			c, err := load(file, argument(args))
			if err != nil {
				return err
			}
			if err := refuseDaemon(c); err != nil {
				return err
			}
			l, err := newLocal(c, logTo(a.Err, zap.WarnLevel), delivery.Journal(c))
			if err != nil {
				return err
			}
			defer l.close()
			var s summary
			if err := l.run(cmd.Context(), s.left); err != nil {
				return err
			}
			for _, st := range l.watches.Status() {
				s.Stored, s.Bytes = s.Stored+st.Counts.Stored, s.Bytes+st.Counts.Bytes
				s.Problems = append(append(s.Problems, st.Problems...), st.Missing...)
			}
			return s.end(a, out)
		},
	}
	console.ConfigFlag(cmd, &file, "/etc/brokerd/brokerd.yaml", "configuration file")
	cmd.Flags().BoolVar(&once, "once", false, "end after every finished file was tried once")
	console.OutputFlag(cmd, &out)
	return cmd
}

// summary is the JSON of a run.
type summary struct {
	Stored   uint64   `json:"stored"`
	Bytes    int64    `json:"bytes"`
	Failed   uint64   `json:"failed"` // they are tried again by the next run
	Dead     uint64   `json:"dead"`
	Refused  uint64   `json:"refused"`
	Unmoved  uint64   `json:"unmoved"` // delivered, and neither removed nor moved
	Waiting  uint64   `json:"waiting"` // not finished
	Problems []string `json:"problems,omitempty"`
	Files    []File   `json:"files,omitempty"` // the first failed, dead, refused and unmoved files
}

// shownFiles bounds the files of a summary.
const shownFiles = 100

func (s *summary) left(f watch.FileStatus) error {
	n := &s.Waiting
	switch f.State {
	case watch.Kept, watch.Left, watch.Skipped:
		return nil
	case watch.Retrying:
		n = &s.Failed
	case watch.DeadFile:
		n = &s.Dead
	case watch.Refused:
		n = &s.Refused
	case watch.Removing:
		n = &s.Unmoved
	case watch.Waiting:
		if f.Rule == watch.RulePaused || f.Rule == watch.RuleTurn {
			n = &s.Failed
		}
	}
	*n++
	if n != &s.Waiting && len(s.Files) < shownFiles {
		s.Files = append(s.Files, fileOf(f))
	}
	return nil
}

func (s *summary) end(a *console.App, out console.Format) error {
	var err error
	if out == console.FormatJSON {
		err = json.NewEncoder(a.Out).Encode(s)
	} else {
		err = s.print(a)
	}
	switch {
	case err != nil:
		return err
	case s.Dead+s.Refused > 0:
		return &console.ExitError{Code: console.ExitFailed}
	case s.Failed+s.Unmoved > 0 || len(s.Problems) > 0:
		return &console.ExitError{Code: console.ExitTemporary}
	}
	return nil
}

func (s *summary) print(a *console.App) error {
	text := fmt.Sprintf("%s delivered, %s", console.Counted(s.Stored, "file"), console.BytesText(s.Bytes))
	for _, part := range []struct {
		n    uint64
		word string
	}{
		{s.Waiting, "not finished"}, {s.Failed, "to try again"}, {s.Unmoved, "delivered and not removed"}, {s.Dead, "dead"},
		{s.Refused, "refused"},
	} {
		if part.n > 0 {
			text += fmt.Sprintf("; %d %s", part.n, part.word)
		}
	}
	for _, p := range s.Problems {
		text += "\n" + console.Printable(p)
	}
	for i, f := range s.Files {
		if i == shownNotes {
			break
		}
		text += fmt.Sprintf("\n%s: %s: %s", console.Printable(f.Path), f.State, console.Printable(f.Error))
	}
	_, err := fmt.Fprintln(a.Out, text)
	return err
}
