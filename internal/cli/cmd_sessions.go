package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/brokerd/brokerd/client"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

const (
	watchEvery  = time.Second
	clearScreen = "\x1b[H\x1b[2J"
)

func (a *app) sessionsCommand() *cobra.Command {
	var out format
	var watch bool
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "Show the role sessions: age, expiry, next refresh, last error",
		Long: `Show the role session of each destination. It never shows a secret. Needs the
right "admin".

Exits 0 if every destination has a usable session, 1 if one has none.`,
		Example: "  brokerctl sessions --watch\n  brokerctl sessions -o json | jq -r '.[] | select(.last_error != \"\") | .destination'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			if watch {
				return a.watchSessions(cmd.Context(), c, out)
			}
			usable, err := a.showSessions(cmd.Context(), c, out)
			if err == nil && !usable {
				err = &exitError{exitFailed, nil}
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "refresh the display every second, until Ctrl-C")
	outputFlag(cmd, &out)
	return cmd
}

func (a *app) watchSessions(ctx context.Context, c *client.Client, out format) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if out != formatJSON && isTerminal(a.Out) {
			if _, err := io.WriteString(a.Out, clearScreen); err != nil {
				return err
			}
		}
		if _, err := a.showSessions(ctx, c, out); err != nil {
			if ctx.Err() != nil {
				return nil // Ctrl-C is how watching ends
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *app) showSessions(ctx context.Context, c *client.Client, out format) (usable bool, err error) {
	r, err := c.Admin().ListSessions(ctx, &brokerdv1.ListSessionsRequest{})
	if err != nil {
		return false, c.FromError(err)
	}
	usable = true
	for _, s := range r.GetSessions() {
		usable = usable && s.GetState() != brokerdv1.SessionState_SESSION_STATE_EMPTY && s.GetState() != brokerdv1.SessionState_SESSION_STATE_EXPIRED
	}
	if out == formatJSON {
		return usable, writeSessionsJSON(a.Out, r.GetSessions())
	}
	return usable, writeSessions(a.Out, r.GetSessions(), time.Now())
}

func writeSessionsJSON(w io.Writer, sessions []*brokerdv1.Session) error {
	opts := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}
	all := make([]json.RawMessage, 0, len(sessions))
	for _, s := range sessions {
		data, err := opts.Marshal(s)
		if err != nil {
			return err
		}
		all = append(all, data)
	}
	return json.NewEncoder(w).Encode(all)
}

// writeSessions shows each session in one line of columns. Its ARN and its errors are
// in lines of their own below it, because they do not fit next to the columns.
func writeSessions(w io.Writer, sessions []*brokerdv1.Session, now time.Time) error {
	p := paletteFor(w)
	var table strings.Builder
	tw := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	row := func(cells ...any) {
		_, _ = fmt.Fprintf(tw, strings.TrimSuffix(strings.Repeat("%v\t", len(cells)), "\t")+"\n", cells...)
	}
	row("DESTINATION", "STATE", "AGE", "ENDS IN", "REFRESH IN", "GEN", "STS", "SERVED", "VENDED")
	for _, s := range sessions {
		row(s.GetDestination(), stateText(s.GetState()), span(s.GetIssueTime() != nil, now.Sub(s.GetIssueTime().AsTime())),
			span(s.GetExpireTime() != nil, timeLeft(s.GetTimeLeft(), s.GetExpireTime(), now)), span(s.GetRefreshTime() != nil, timeLeft(s.GetRefreshIn(), s.GetRefreshTime(), now)),
			s.GetGeneration(), s.GetStsCalls(), s.GetServedFresh()+s.GetServedDue()+s.GetServedCritical(), s.GetVended())
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n")
	text := p.dim(strings.TrimRight(lines[0], " ")) + "\n"
	for i, s := range sessions {
		// Coloured after the alignment: tabwriter would count the escape sequences.
		text += strings.Replace(strings.TrimRight(lines[i+1], " "), stateText(s.GetState()), paintState(p, s.GetState()), 1) + "\n"
		if arn := s.GetAssumedRoleArn(); arn != "" {
			text += "  " + p.dim(arn) + "\n"
		}
		if s.GetClamped() {
			text += "  " + p.warn("session.duration is limited to 1h: AWS's maximum for a role that is assumed by a role") + "\n"
		}
		if strings.HasPrefix(s.GetScope(), "left out") {
			text += "  " + p.warn("not limited to the destination; "+s.GetScope()) + "\n"
		}
		if n := s.GetServedCritical(); n > 0 {
			text += "  " + p.warn(fmt.Sprintf("used %d times with less than a minute left: a refresh failed", n)) + "\n"
		}
		if n := s.GetWaiters(); n > 0 {
			text += "  " + p.warn(fmt.Sprintf("%d callers wait for it", n)) + "\n"
		}
		if s.GetLastError() != "" {
			text += "  " + p.bad(s.GetLastErrorReason()) + ": " + s.GetLastError() + "\n"
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

func paintState(p palette, s brokerdv1.SessionState) string {
	paint := p.bad
	switch s {
	case brokerdv1.SessionState_SESSION_STATE_FRESH:
		paint = p.good
	case brokerdv1.SessionState_SESSION_STATE_DUE:
		paint = p.warn
	}
	return paint(stateText(s))
}

// span formats a duration, or a dash if it is not known.
func span(known bool, d time.Duration) string {
	if !known {
		return "-"
	}
	if d < 0 {
		return "now"
	}
	if d >= time.Minute {
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return d.Round(time.Second).String()
}

// timeLeft prefers the daemon's own figure, which goes by AWS's clock. An older daemon
// gives none.
func timeLeft(left *durationpb.Duration, at *timestamppb.Timestamp, now time.Time) time.Duration {
	if left != nil {
		return left.AsDuration()
	}
	return at.AsTime().Sub(now)
}
