package cli

import (
	"fmt"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// writeSpoolUsage shows a destination's objects in the spool, and why they wait. row
// writes two columns.
func writeSpoolUsage(row func(format string, args ...any), p console.Palette, d *brokerdv1.Destination, now time.Time) {
	u := d.GetSpool()
	spools := d.GetDurability() != "" && d.GetDurability() != "direct"
	if !spools && u.GetQueuedObjects()+u.GetDeadObjects() == 0 {
		return
	}
	text := "empty"
	if u.GetQueuedObjects() > 0 {
		text = fmt.Sprintf("%s, %s, the oldest for %s; %d of at most %d deliveries under way",
			console.Counted(u.GetQueuedObjects(), "object"), console.BytesText(int64(u.GetQueuedBytes())), console.Span(true,
				now.Sub(u.GetOldestTime().AsTime())), u.GetInFlight(), u.GetInFlightLimit())
	}
	if u.GetParkedReason() != "" {
		since := ""
		if u.GetParkedTime() != nil {
			t := u.GetParkedTime().AsTime()
			since = fmt.Sprintf(" since %s (%s)", t.UTC().Format(time.RFC3339), console.Span(true, now.Sub(t)))
		}
		text = fmt.Sprintf(
			"%s, %s, the oldest for %s",
			console.Counted(u.GetQueuedObjects(), "object"),
			console.BytesText(int64(u.GetQueuedBytes())),
			console.Span(true, now.Sub(u.GetOldestTime().AsTime())),
		)
		row("  spool\t%s", text)
		row("  parked\t%s%s", p.Warn(u.GetParkedReason()), since)
		row("\tthe objects stay, and are delivered after the repair: brokerctl verify %s", d.GetName())
	} else {
		row("  spool\t%s", text)
	}
	if u.GetDeadObjects() > 0 {
		row("  dead\t%s, %s: brokerctl spool ls %s --state dead", p.Bad(console.Counted(u.GetDeadObjects(), "object")),
			console.BytesText(int64(u.GetDeadBytes())), d.GetName())
	}
}
