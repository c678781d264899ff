package console

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Counted returns a number with its noun, which gets an "s" unless the number is 1. Words
// behind the noun follow it: Counted(2, "statement") + " of ours".
func Counted[N int | uint32 | uint64 | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Printable replaces the control characters in a text of AWS or of a client, which a
// terminal would interpret.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

// BytesText formats a size with a binary unit.
func BytesText(n int64) string {
	const units = "KMGT"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}

// Span formats a duration with one or two units, or a dash if it is not known.
func Span(known bool, d time.Duration) string {
	switch s := int(d.Round(time.Second).Seconds()); {
	case !known:
		return "-"
	case d < 0:
		return "now"
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	default:
		return fmt.Sprintf("%dd%02dh", s/(24*3600), s/3600%24)
	}
}

// ProblemLines describes the files of accepted objects that cannot be delivered: one
// line for the unreadable ones, one for the quarantine, and the first repair.
func ProblemLines(unreadable, quarantined uint64, detail string) []string {
	var out []string
	if unreadable > 0 {
		out = append(out, Counted(unreadable, "accepted object")+" cannot be read by the daemon: `brokerctl spool ls --state unreadable`")
	}
	if quarantined > 0 {
		out = append(out, Counted(quarantined, "damaged file")+" in quarantine: `brokerctl spool ls --state quarantined`")
	}
	if detail != "" {
		out = append(out, Printable(detail))
	}
	return out
}
