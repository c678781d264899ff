package cli

import (
	"io"
	"os"

	"github.com/fatih/color"
	"golang.org/x/term"
)

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// palette colours text on a terminal. Elsewhere, and with NO_COLOR, it returns the text unchanged.
type palette struct{ good, bad, warn, dim, bold func(...any) string }

func paletteFor(w io.Writer) palette {
	on := isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	paint := func(attrs ...color.Attribute) func(...any) string {
		c := color.New(attrs...)
		if on {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return c.SprintFunc()
	}
	return palette{paint(color.FgGreen), paint(color.FgRed, color.Bold), paint(color.FgYellow), paint(color.Faint), paint(color.Bold)}
}
