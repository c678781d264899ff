package spoolcmd

import (
	"io"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"
)

// newSpoolTable returns a table of objects. count heads its sixth column. On a narrow
// terminal the id, which people copy, stays whole on the first line.
func newSpoolTable(a *console.App, w io.Writer, count string) *console.Table {
	p := a.Palette(w)
	t := console.NewTable(w, "ID", "DESTINATION", "STATE", "SIZE", "AGE", count, "REASON", "NAME")
	t.Head = p.Dim
	t.Fold, t.Shrink = 5, []int{1, 7}
	t.Paint[2] = func(state string) string {
		switch strings.TrimRight(state, " ") {
		case "parked":
			return p.Warn(state)
		case "dead", "unreadable", "quarantined":
			return p.Bad(state)
		}
		return state
	}
	return t
}
