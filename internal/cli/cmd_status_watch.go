package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/brokerd/brokerd/internal/cli/console"

	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// writeWatches shows the watches, their files and what holds them back. row writes two
// columns.
func writeWatches(row func(format string, args ...any), p console.Palette, watches []*brokerdv1.Watch, now time.Time) {
	for _, w := range watches {
		row("\nwatch %s\tto %s", p.Bold(w.GetName()), w.GetDestination())
		row("  files\t%s", watchedFiles(w, now))
		row("  delivered\t%s, %s; %d failed", console.Counted(w.GetStored(), "file"), console.BytesText(int64(w.GetStoredBytes())), w.GetFailed())
		if t := w.GetPausedTime(); t != nil {
			row("  paused\t%s since %s (%s): the files stay", p.Warn(w.GetPauseReason()), t.AsTime().UTC().Format(time.RFC3339),
				console.Span(true, now.Sub(t.AsTime())))
			row("\t%s", console.Printable(w.GetPauseMessage()))
		}
		for _, problem := range w.GetProblems() {
			row("  %s\t%s", p.Bad("problem"), console.Printable(problem))
		}
		if n := w.GetFiles()["dead"] + w.GetFiles()["refused"] + w.GetFiles()["removing"]; n > 0 {
			row("  %s\t%s: brokerctl watch ls %s --state dead,refused,removing", p.Bad("look at"), console.Counted(n, "file"), w.GetName())
		}
	}
}

// watchedFiles counts the files of a watch by state.
func watchedFiles(w *brokerdv1.Watch, now time.Time) string {
	var parts []string
	for _, state := range []string{"waiting", "in_flight", "retrying", "removing", "dead", "refused", "left", "kept", "skipped"} {
		if n := w.GetFiles()[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ReplaceAll(state, "_", " ")))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	text := strings.Join(parts, ", ")
	if t := w.GetOldestTime(); t != nil {
		text += "; the oldest to deliver is " + console.Span(true, max(0, now.Sub(t.AsTime()))) + " old"
	}
	return text
}
