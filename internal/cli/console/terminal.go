package console

import (
	"io"
	"os"

	"github.com/fatih/color"
	"golang.org/x/term"
)

// IsTerminal reports whether w is a file that is a terminal.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Palette colours text on a terminal. Elsewhere, and with NO_COLOR, it returns the text unchanged.
type Palette struct{ Good, Bad, Warn, Dim, Bold func(...any) string }

// PaletteFor returns the colours for w: none when w is no terminal, or with NO_COLOR.
func PaletteFor(w io.Writer) Palette {
	on := IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	paint := func(attrs ...color.Attribute) func(...any) string {
		c := color.New(attrs...)
		if on {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return c.SprintFunc()
	}
	return Palette{paint(color.FgGreen), paint(color.FgRed, color.Bold), paint(color.FgYellow), paint(color.Faint), paint(color.Bold)}
}
