package spoolcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/spf13/cobra"

	"github.com/brokerd/brokerd/client"
	"github.com/brokerd/brokerd/internal/reason"
	"github.com/brokerd/brokerd/internal/textwrap"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

func spoolShow(a *console.App) *cobra.Command {
	var out console.Format
	cmd := &cobra.Command{
		Use:        "show ID",
		SuggestFor: []string{"get", "describe"},
		Short:      "Show one object in full, with its remedy",
		Long:       "Show one object of the spool in full: its destination, its sender, the reason that it\nis not delivered, and the remedy.",
		Example:    "  brokerctl spool show 01KAW3P5E2M9W7V5C1J0X8T4RQ\n  brokerctl spool show 01KAW3P5E2M9W7V5C1J0X8T4RQ -o json | jq -r .error",
		Args:       cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := uploadIDs(args)
			if err != nil {
				return err
			}
			c, err := a.Dial()
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			o, err := oneSpooled(cmd.Context(), c, ids[0])
			if err != nil {
				return err
			}
			o.Fix = SpoolFix(o)
			if o.State == "parked" {
				o.ParkedSince = parkedSince(cmd.Context(), c, o.Destination)
			}
			if out == console.FormatJSON {
				return json.NewEncoder(a.Out).Encode(o)
			}
			return writeSpooled(a, o, time.Now())
		},
	}
	console.OutputFlag(cmd, &out)
	a.ColorFlag(cmd)
	return cmd
}

// parkedSince asks since when a destination is parked; nil when it is not known.
func parkedSince(ctx context.Context, c *client.Client, destination string) *time.Time {
	r, err := c.Admin().ListDestinations(ctx, &brokerdv1.ListDestinationsRequest{})
	if err != nil {
		return nil
	}
	for _, d := range r.GetDestinations() {
		if t := d.GetSpool().GetParkedTime(); d.GetName() == destination && t != nil {
			since := t.AsTime()
			return &since
		}
	}
	return nil
}

func writeSpooled(a *console.App, o Spooled, now time.Time) error {
	p := a.Palette(a.Out)
	rows := console.NewRows(a.Out)
	row := func(name, format string, args ...any) { rows.Add("%s\t"+format, append([]any{name}, args...)...) }
	row("id", "%s", o.UploadID)
	state := o.State
	switch {
	case o.ParkedSince != nil:
		state = p.Warn(
			o.State,
		) + fmt.Sprintf(
			" since %s (%s ago)",
			o.ParkedSince.UTC().Format(time.RFC3339),
			console.Span(true, now.Sub(*o.ParkedSince)),
		)
	case o.State == "parked":
		state = p.Warn(o.State)
	case o.State == "dead", o.State == "unreadable", o.State == "quarantined":
		state = p.Bad(o.State)
	}
	row("state", "%s", state)
	if o.Destination == "" {
		row("destination", "not known: it is in the file")
	} else {
		row("destination", "%s", o.Destination)
		row("name", "%s", console.Printable(o.Name))
		row("key", "%s", console.Printable(o.Key))
		row("uploaded by", "%s", userText(o.UID))
	}
	row("received", "%s (%s ago)", o.Received.UTC().Format(time.RFC3339), console.Span(true, now.Sub(o.Received)))
	row("size", "%s (%d bytes)", console.BytesText(int64(o.Size)), o.Size)
	if o.Destination != "" {
		row("crc32c", "%s", o.CRC32C)
	}
	row("tries", "%d since the daemon started", o.Tries)
	if o.NextTry != nil {
		row("next try", "%s (%s)", o.NextTry.UTC().Format(time.RFC3339), nextText(o.NextTry.Sub(now)))
	}
	if o.Reason != "" {
		row("reason", "%s", o.Reason)
	}
	if o.Error != "" {
		row("error", "%s", strings.Join(strings.Fields(console.Printable(o.Error)), " "))
	}
	if err := rows.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.Out, "\n%s\n", textwrap.Wrap(o.Fix, console.ProseColumns(a.Out)))
	return err
}

func nextText(d time.Duration) string {
	if d <= 0 {
		return "as soon as possible"
	}
	return "in " + console.Span(true, d)
}

// userText names a user of this machine, if it has a name.
func userText(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return fmt.Sprintf("uid %s (%s)", id, u.Username)
	}
	return "uid " + id
}

// SpoolFix says what to do about an object.
func SpoolFix(o Spooled) string {
	verify := "`brokerctl verify " + o.Destination + "`"
	export := "`brokerctl spool export " + o.UploadID + "`"
	drop := "`brokerctl spool drop " + o.UploadID + "`"
	retry := "`brokerctl spool retry " + o.UploadID + "`"
	switch {
	case o.State == "unreadable":
		return "Repair the file as the error says. The daemon reads it again every few minutes; " +
			retry + " reads it now. The object is then delivered."
	case o.State == "quarantined":
		return "The file is damaged. Have the object sent again, then run " + drop + "."
	case o.State == "delivering":
		return "The daemon is delivering it. There is nothing to do."
	case o.State == "parked" && reason.Reason(o.Reason) == reason.UnknownDestination:
		return "The destination " + o.Destination + " is no longer in the configuration. " +
			"Add it again and run `brokerctl reload`: the daemon then delivers the object. Or save the object with " +
			export + ", then run " + drop + "."
	case o.State == "parked":
		return "Run " + verify + " to find the cause and its repair. All objects are kept. One object at a time probes the destination, " +
			"and the daemon delivers all of them after the repair. `brokerctl spool retry --destination " + o.Destination + "` probes now."
	case o.State == "queued" && o.Reason == "":
		return "It waits for its first delivery attempt. There is nothing to do."
	case o.State == "queued":
		return "The daemon retries it with growing pauses until it succeeds. " + retry + " tries it now."
	}
	switch reason.Reason(o.Reason) {
	case reason.Corrupt:
		return "The disk returned other bytes than were accepted. Check the disk. `brokerctl spool export " +
			o.UploadID + " -f -` writes the bytes before the damage. Have the object sent again, then run " + drop + "."
	case reason.Missing:
		return "Another program removed the file. Have the object sent again, then run " + drop + "."
	case reason.ResponseMismatch:
		return "S3 has the object, but not as the daemon requested it; the error names the difference. " +
			"Ask the bucket's owner to check the object. Then run " + retry + " to accept it as delivered, or " + export + " and " + drop + "."
	default:
		return "AWS refuses this object but accepts others; the error names the cause. After a repair run " +
			retry + ". Otherwise save the object with " + export + ", then run " + drop + "."
	}
}
