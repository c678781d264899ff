package sandboxcmd

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/internal/sandbox/cloudtrail/trail"
)

func sandboxEvents(a *console.App, connect *ConnectFlag) *cobra.Command {
	var (
		follow  bool
		name    string
		account accountName
		out     console.Format
	)
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show the calls that the running sandbox answered, as CloudTrail records them",
		Long: `Show every call with its caller, the decision and the error, one line for each call.
With -o json, show CloudTrail's records, one on each line.

A call across accounts is shown as the caller's account records it. --account
shows the records of one account. As on AWS, the record of the resource's account
names a caller of another account by id only.`,
		Example: `  brokerctl sandbox events --follow
  brokerctl sandbox events --name PutObject      # was it the role of account A?
  brokerctl sandbox events -o json | jq 'select(.errorCode)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect.Open()
			if err != nil {
				return err
			}
			q := url.Values{}
			if follow {
				q.Set("follow", "true")
			}
			if name != "" {
				q.Set("name", name)
			}
			if account != "" {
				q.Set("account", c.idOf(account))
			}
			body, err := c.request(cmd.Context(), "GET", "events?"+q.Encode(), nil)
			if err != nil {
				return err
			}
			defer func() { _ = body.Close() }()
			err = showEvents(a, body, out)
			if cmd.Context().Err() != nil {
				return nil // Ctrl-C is how --follow ends
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "continue with new calls")
	cmd.Flags().StringVar(&name, "name", "", "only calls of this operation, for example PutObject")
	console.ChoiceFlag(cmd, &account, "account", "", "only the records of this account", accountA, accountB)
	console.OutputFlag(cmd, &out)
	a.ColorFlag(cmd)
	return cmd
}

func showEvents(a *console.App, r io.Reader, out console.Format) error {
	lines := bufio.NewReader(r)
	p := a.Palette(a.Out)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading events: %w", err)
		}
		if out == console.FormatJSON {
			if _, err := io.WriteString(a.Out, line); err != nil {
				return err
			}
			continue
		}
		var e trail.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return fmt.Errorf("reading events: %w", err)
		}
		if _, err := fmt.Fprintln(a.Out, console.Fit(a.Out, eventLine(p, &e))); err != nil {
			return err
		}
	}
}

// eventLine is one call: time, operation, caller, resource and result.
func eventLine(p console.Palette, e *trail.Event) string {
	who := e.UserIdentity.ARN
	if who == "" {
		who = e.UserIdentity.PrincipalID
	}
	if e.UserIdentity.InvokedBy != "" {
		who += " by way of S3"
	}
	what := strings.TrimSuffix(e.EventSource, ".amazonaws.com") + ":" + e.EventName
	line := fmt.Sprintf("%s  %-34s %s", p.Dim(e.EventTime.Format("15:04:05")), what, who)
	if len(e.Resources) > 0 {
		line += p.Dim(" on ") + e.Resources[0].ARN
	}
	if e.ErrorCode == "" {
		return line + "  " + p.Good("ok")
	}
	return line + "  " + p.Bad(e.ErrorCode) + "\n          " + e.ErrorMessage
}
