package console

import (
	"io"
	"os"
	"strconv"

	"github.com/fatih/color"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/brokerd/brokerd/internal/textwrap"
)

// IsTerminal reports whether w is a file that is a terminal.
func IsTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

const (
	leastColumns   = 40  // a smaller value is most likely wrong, or the window is about to be resized
	unknownColumns = 80  // of a terminal that does not say
	proseColumns   = 100 // of text that is not shown on a terminal
)

// Columns returns the number of columns of a terminal: the value of COLUMNS, else that of
// the terminal itself. It is 0 if w is no terminal: a line then has no limit, so that
// programs find each record on one line.
func Columns(w any) int {
	if !IsTerminal(w) {
		return 0
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= leastColumns {
		return n
	}
	if n, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && n >= leastColumns {
		return n
	}
	return unknownColumns
}

// ProseColumns returns the number of columns for paragraphs: those of the terminal, else of
// COLUMNS, else a usual width.
func ProseColumns(w any) int {
	if n := Columns(w); n > 0 {
		return n
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n >= leastColumns {
		return n
	}
	return proseColumns
}

// Fit breaks the lines of text that are wider than the terminal. Text for a file or a pipe
// stays as it is.
func Fit(w any, text string) string { return textwrap.Hang(text, Columns(w)) }

// Palette colours text.
type Palette struct{ Good, Bad, Warn, Dim, Bold func(...any) string }

// ColorMode is the value of --color.
type ColorMode string

// The values of --color.
const (
	ColorAuto   ColorMode = "auto"
	ColorAlways ColorMode = "always"
	ColorNever  ColorMode = "never"
)

// ColorFlag registers --color, for a command whose text has colours.
func (a *App) ColorFlag(cmd *cobra.Command) {
	a.color = ColorAuto
	ChoiceFlag(cmd, &a.color, "color", "", "colours: auto is on a terminal, unless NO_COLOR is set", ColorAuto, ColorAlways, ColorNever)
}

// Palette returns the colours for w.
func (a *App) Palette(w io.Writer) Palette {
	on := IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	switch a.color {
	case ColorAlways:
		on = true
	case ColorNever:
		on = false
	}
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
