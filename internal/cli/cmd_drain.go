package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func drainCommand(a *console.App) *cobra.Command {
	var timeout time.Duration
	var resume bool
	var out console.Format
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Stop accepting uploads, and wait until the spool is delivered",
		Long: `Make the daemon refuse new uploads (reason DRAINING), and wait until the open ones
have ended and the spool is delivered. Dead objects, and objects of parked
destinations, cannot be delivered now: drain reports their number and does not wait
for them.

The daemon keeps refusing uploads until it is restarted, or until you run drain
--resume, even if this command times out or is interrupted. Needs the right "admin".

Exits 0 if all deliverable objects are delivered, 75 if --timeout has passed.`,
		Example: `  brokerctl drain --timeout 5m && systemctl stop brokerd
  brokerctl drain --resume`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case timeout < 0:
				return console.UsageError(errors.New("--timeout must not be negative"))
			case resume && cmd.Flags().Changed("timeout"):
				return console.UsageError(errors.New("--resume takes effect at once: remove --timeout"))
			}
			return drain(cmd.Context(), a, timeout, resume, out)
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait; 0: no limit")
	cmd.Flags().BoolVar(&resume, "resume", false, "accept uploads again")
	console.OutputFlag(cmd, &out)
	a.SocketFlag(cmd)
	return cmd
}

// drained is the JSON of the result.
type drained struct {
	Drained       bool   `json:"drained"` // all deliverable objects are delivered
	OpenUploads   uint32 `json:"open_uploads"`
	QueuedObjects uint64 `json:"queued_objects"`
	QueuedBytes   uint64 `json:"queued_bytes"`
	ParkedObjects uint64 `json:"parked_objects"`
	DeadObjects   uint64 `json:"dead_objects"`
	// Files of accepted objects that cannot be delivered.
	UnreadableObjects  uint64 `json:"unreadable_objects,omitempty"`
	QuarantinedObjects uint64 `json:"quarantined_objects,omitempty"`
	Problem            string `json:"problem,omitempty"`
}

func drainedOf(m *brokerdv1.DrainResponse) drained {
	bad := m.GetProblems()
	return drained{
		Drained: m.GetOpenUploads() == 0 && m.GetQueuedObjects() == 0 &&
			bad.GetUnreadableObjects() == 0, OpenUploads: m.GetOpenUploads(), QueuedObjects: m.GetQueuedObjects(),
		QueuedBytes: m.GetQueuedBytes(), ParkedObjects: m.GetParkedObjects(), DeadObjects: m.GetDeadObjects(),
		UnreadableObjects: bad.GetUnreadableObjects(), QuarantinedObjects: bad.GetQuarantinedObjects(), Problem: bad.GetDetail(),
	}
}

func drain(ctx context.Context, a *console.App, timeout time.Duration, resume bool, out console.Format) error {
	c, err := a.Dial()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	req := &brokerdv1.DrainRequest{Resume: resume}
	if timeout > 0 && !resume {
		req.Timeout = durationpb.New(timeout)
	}
	stream, err := c.Admin().Drain(inner, req)
	if err != nil {
		return c.FromError(err)
	}
	bar := newStatusLine(a.Err)
	for {
		m, err := stream.Recv()
		if err != nil {
			bar.clear()
			if errors.Is(err, io.EOF) {
				err = errors.New("the daemon ended the call without a result; run it again")
			}
			if ctx.Err() != nil {
				return &console.ExitError{
					Code: console.ExitSignal,
					Err:  errors.New("interrupted: the daemon still refuses uploads: run `brokerctl drain --resume` to accept them again"),
				}
			}
			return c.FromError(err)
		}
		if !m.GetDone() {
			bar.set(drainProgress(drainedOf(m)))
			continue
		}
		bar.clear()
		return endDrain(a, drainedOf(m), resume, out)
	}
}

// endDrain prints the result and returns the error with the exit code.
func endDrain(a *console.App, d drained, resume bool, out console.Format) error {
	text := drainSummary(d)
	if resume {
		text = "uploads are accepted again"
	}
	var err error
	if out == console.FormatJSON {
		err = json.NewEncoder(a.Out).Encode(d)
	} else {
		_, err = fmt.Fprintln(a.Out, console.Fit(a.Out, text))
	}
	switch {
	case err != nil || d.Drained || resume:
		return err
	case d.OpenUploads == 0 && d.QueuedObjects == 0:
		return &console.ExitError{Code: console.ExitFailed, Err: nil} // only an operator can make the files readable
	default:
		return &console.ExitError{Code: console.ExitTemporary, Err: nil}
	}
}

func drainProgress(d drained) string {
	var parts []string
	if d.OpenUploads > 0 {
		parts = append(parts, console.Counted(d.OpenUploads, "upload")+" open")
	}
	if d.QueuedObjects > 0 {
		parts = append(
			parts,
			fmt.Sprintf("%s (%s) to deliver", console.Counted(d.QueuedObjects, "object"), console.BytesText(int64(d.QueuedBytes))),
		)
	}
	return "draining: " + strings.Join(parts, ", ")
}

func drainSummary(d drained) string {
	text := "drained: all deliverable objects are delivered"
	if !d.Drained {
		text = "not drained: " + strings.TrimPrefix(drainProgress(d), "draining: ")
		if d.OpenUploads == 0 && d.QueuedObjects == 0 {
			text = "not drained: the daemon cannot read all accepted objects"
		}
		if d.QueuedObjects > 0 {
			text += "; undelivered objects stay in the spool"
		}
	}
	if n := d.ParkedObjects; n > 0 {
		text += fmt.Sprintf("\n%s of parked destinations stay in the spool: `brokerctl status` shows why", console.Counted(n, "object"))
		if n == 1 {
			text = strings.Replace(text, "destinations stay", "destinations stays", 1)
		}
	}
	if n := d.DeadObjects; n > 0 {
		stay := " stay"
		if n == 1 {
			stay = " stays"
		}
		text += "\n" + console.Counted(n, "dead object") + stay + " in the spool: `brokerctl spool ls --state dead`"
	}
	for _, l := range console.ProblemLines(d.UnreadableObjects, d.QuarantinedObjects, d.Problem) {
		text += "\n" + l
	}
	return text + "\nthe daemon refuses uploads until it is restarted, or until you run `brokerctl drain --resume`"
}

// statusLine is one line that is rewritten on a terminal. Elsewhere each change prints
// a new line.
type statusLine struct {
	w       io.Writer
	rewrite bool
	last    string
}

func newStatusLine(w io.Writer) *statusLine {
	return &statusLine{w: w, rewrite: console.IsTerminal(w) && os.Getenv("TERM") != "dumb"}
}

func (l *statusLine) set(text string) {
	if text == l.last {
		return
	}
	l.last = text
	if l.rewrite {
		text = "\r\x1b[K" + text
	} else {
		text += "\n"
	}
	_, _ = io.WriteString(l.w, text) // progress only
}

func (l *statusLine) clear() {
	if l.rewrite && l.last != "" {
		_, _ = io.WriteString(l.w, "\r\x1b[K")
	}
}
