package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

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

func sessionsCommand(a *console.App) *cobra.Command {
	var out console.Format
	var watch bool
	var named *console.Destinations
	cmd := &cobra.Command{
		Use:   "sessions [DESTINATION…]",
		Short: "Show the role sessions: age, expiry, next refresh, last error",
		Long: `Show the role session of each destination; with names, only of these. It never shows a secret. Needs the
right "admin".

Exits 0 if every destination has a usable session, 1 if one has none.`,
		Example: "  brokerctl sessions --watch\n  brokerctl sessions -o json | jq -r '.[] | select(.last_error != \"\") | .destination'",
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := named.Named(args)
			if err != nil {
				return err
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			if watch {
				return watchSessions(cmd.Context(), a, c, names, out)
			}
			usable, err := showSessions(cmd.Context(), a, c, names, out)
			if err == nil && !usable {
				err = &console.ExitError{Code: console.ExitFailed, Err: nil}
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "refresh the display every second, until Ctrl-C")
	console.OutputFlag(cmd, &out)
	a.SocketFlag(cmd)
	a.ColorFlag(cmd)
	named = a.DestinationFlag(cmd, "show only this destination; may be given more than once", nil)
	return cmd
}

func watchSessions(ctx context.Context, a *console.App, c *client.Client, names []string, out console.Format) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if out != console.FormatJSON && console.IsTerminal(a.Out) {
			if _, err := io.WriteString(a.Out, clearScreen); err != nil {
				return err
			}
		}
		if _, err := showSessions(ctx, a, c, names, out); err != nil {
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

func showSessions(ctx context.Context, a *console.App, c *client.Client, names []string, out console.Format) (usable bool, err error) {
	r, err := c.Admin().ListSessions(ctx, &brokerdv1.ListSessionsRequest{})
	if err != nil {
		return false, c.FromError(err)
	}
	if len(names) > 0 {
		dests, err := c.Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
		if err != nil {
			return false, c.FromError(err)
		}
		if err := onlyNamed(names, dests, r); err != nil {
			return false, err
		}
	}
	usable = true
	for _, s := range r.GetSessions() {
		usable = usable && s.GetState() != brokerdv1.SessionState_SESSION_STATE_EMPTY &&
			s.GetState() != brokerdv1.SessionState_SESSION_STATE_EXPIRED
	}
	if out == console.FormatJSON {
		return usable, writeSessionsJSON(a.Out, r.GetSessions())
	}
	return usable, writeSessions(a, r.GetSessions(), time.Now())
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
func writeSessions(a *console.App, sessions []*brokerdv1.Session, now time.Time) error {
	p := a.Palette(a.Out)
	var rows strings.Builder
	t := console.NewTable(&rows, "DESTINATION", "STATE", "AGE", "ENDS IN", "REFRESH IN", "GEN", "STS", "SERVED", "VENDED")
	t.Head, t.Limit, t.Shrink = p.Dim, console.Columns(a.Out), []int{0}
	for _, s := range sessions {
		err := t.Add(
			s.GetDestination(),
			stateText(s.GetState()),
			console.Span(s.GetIssueTime() != nil, now.Sub(s.GetIssueTime().AsTime())),
			console.Span(s.GetExpireTime() != nil, timeLeft(s.GetTimeLeft(), s.GetExpireTime(), now)),
			console.Span(s.GetRefreshTime() != nil, timeLeft(s.GetRefreshIn(), s.GetRefreshTime(), now)),
			fmt.Sprint(s.GetGeneration()),
			fmt.Sprint(s.GetStsCalls()),
			fmt.Sprint(s.GetServedFresh()+s.GetServedDue()+s.GetServedCritical()),
			fmt.Sprint(s.GetVended()),
		)
		if err != nil {
			return err
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(sessions) == 0 {
		_, err := fmt.Fprintln(a.Out, "no destination has a session")
		return err
	}
	lines := strings.Split(rows.String(), "\n")
	text := lines[0] + "\n"
	for i, s := range sessions {
		text += strings.Replace(lines[i+1], stateText(s.GetState()), paintState(p, s.GetState()), 1) + "\n"
		if arn := s.GetAssumedRoleArn(); arn != "" {
			text += "  " + p.Dim(arn) + "\n"
		}
		if s.GetClamped() {
			text += "  " + p.Warn("session.duration is limited to 1h: AWS's maximum for a role that is assumed by a role") + "\n"
		}
		if strings.HasPrefix(s.GetScope(), "left out") {
			text += "  " + p.Warn("not limited to the destination; "+s.GetScope()) + "\n"
		}
		if n := s.GetServedCritical(); n > 0 {
			text += "  " + p.Warn(fmt.Sprintf("used %s with less than a minute left: a refresh failed", console.Counted(n, "time"))) + "\n"
		}
		if n := s.GetWaiters(); n > 0 {
			waiting := " waits for it"
			if n > 1 {
				waiting = " wait for it"
			}
			text += "  " + p.Warn(console.Counted(n, "caller")+waiting) + "\n"
		}
		if s.GetLastError() != "" {
			text += "  " + p.Bad(s.GetLastErrorReason()) + ": " + s.GetLastError() + "\n"
		}
	}
	_, err := io.WriteString(a.Out, console.Fit(a.Out, text))
	return err
}

func paintState(p console.Palette, s brokerdv1.SessionState) string {
	paint := p.Bad
	switch s {
	case brokerdv1.SessionState_SESSION_STATE_FRESH:
		paint = p.Good
	case brokerdv1.SessionState_SESSION_STATE_DUE:
		paint = p.Warn
	}
	return paint(stateText(s))
}

// timeLeft prefers the daemon's own figure, which goes by AWS's clock. An older daemon
// gives none.
func timeLeft(left *durationpb.Duration, at *timestamppb.Timestamp, now time.Time) time.Duration {
	if left != nil {
		return left.AsDuration()
	}
	return at.AsTime().Sub(now)
}
