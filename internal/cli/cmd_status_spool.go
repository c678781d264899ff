package cli

import (
	"fmt"
	"time"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// problemLines describes the files of accepted objects that cannot be delivered: one
// line for the unreadable ones, one for the quarantine, and the first repair.
func problemLines(unreadable, quarantined uint64, detail string) []string {
	var out []string
	if unreadable > 0 {
		out = append(out, counted(unreadable, "accepted object")+" cannot be read by the daemon: `brokerctl spool ls --state unreadable`")
	}
	if quarantined > 0 {
		out = append(out, counted(quarantined, "damaged file")+" in quarantine: `brokerctl spool ls --state quarantined`")
	}
	if detail != "" {
		out = append(out, printable(detail))
	}
	return out
}

// writeSpoolUsage shows a destination's objects in the spool, and why they wait. row
// writes two columns.
func writeSpoolUsage(row func(format string, args ...any), p palette, d *brokerdv1.Destination, now time.Time) {
	u := d.GetSpool()
	spools := d.GetDurability() != "" && d.GetDurability() != "direct"
	if !spools && u.GetQueuedObjects()+u.GetDeadObjects() == 0 {
		return
	}
	text := "empty"
	if u.GetQueuedObjects() > 0 {
		text = fmt.Sprintf("%s, %s, the oldest for %s; %d of at most %d deliveries under way",
			counted(u.GetQueuedObjects(), "object"), bytesText(int64(u.GetQueuedBytes())), span(true,
				now.Sub(u.GetOldestTime().AsTime())), u.GetInFlight(), u.GetInFlightLimit())
	}
	if u.GetParkedReason() != "" {
		since := ""
		if u.GetParkedTime() != nil {
			t := u.GetParkedTime().AsTime()
			since = fmt.Sprintf(" since %s (%s)", t.UTC().Format(time.RFC3339), span(true, now.Sub(t)))
		}
		text = fmt.Sprintf("%s, %s, the oldest for %s", counted(u.GetQueuedObjects(), "object"), bytesText(int64(u.GetQueuedBytes())),
			span(true, now.Sub(u.GetOldestTime().AsTime())))
		row("  spool\t%s", text)
		row("  parked\t%s%s", p.warn(u.GetParkedReason()), since)
		row("\tthe objects stay, and are delivered after the repair: brokerctl verify %s", d.GetName())
	} else {
		row("  spool\t%s", text)
	}
	if u.GetDeadObjects() > 0 {
		row("  dead\t%s, %s: brokerctl spool ls %s --state dead", p.bad(counted(u.GetDeadObjects(), "object")),
			bytesText(int64(u.GetDeadBytes())), d.GetName())
	}
}
