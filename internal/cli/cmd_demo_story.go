package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/textwrap"
)

// storyWidth is the widest line of the story, unless the terminal is narrower. Only names
// without a space, such as ARNs, are wider.
const storyWidth = 80

// story prints numbered headings and the steps below them.
type story struct {
	w     io.Writer
	p     console.Palette
	width int
	n     int
}

func newStory(a *console.App) *story {
	return &story{w: a.Out, p: a.Palette(a.Out), width: min(storyWidth, console.ProseColumns(a.Out))}
}

func (s *story) heading(format string, args ...any) {
	s.n++
	_, _ = fmt.Fprintf(s.w, "\n%s\n", s.p.Bold(fmt.Sprintf("%d. ", s.n)+fmt.Sprintf(format, args...)))
}

func (s *story) line(format string, args ...any) {
	_, _ = fmt.Fprintf(s.w, "   "+format+"\n", args...)
}

// command shows the command line that does the same.
func (s *story) command(args ...string) {
	s.line("%s", s.p.Dim("$ brokerctl "+strings.Join(args, " ")))
}

func (s *story) good(format string, args ...any) {
	s.hanging("   "+s.p.Good("✓")+" ", 5, fmt.Sprintf(format, args...))
}

func (s *story) bad(format string, args ...any) {
	s.hanging("   "+s.p.Bad("✗")+" ", 5, fmt.Sprintf(format, args...))
}

func (s *story) fact(name, format string, args ...any) {
	s.hanging("   "+s.p.Dim(fmt.Sprintf("%-11s", name))+" ", 15, fmt.Sprintf(format, args...))
}

// hanging prints text behind mark, and indents the lines that follow the first.
func (s *story) hanging(mark string, indent int, text string) {
	text = textwrap.Indent(textwrap.Wrap(text, s.width-indent), strings.Repeat(" ", indent))
	_, _ = fmt.Fprintln(s.w, mark+strings.TrimLeft(text, " "))
}

// text prints text that has its own line breaks.
func (s *story) text(text string) {
	_, _ = fmt.Fprintln(s.w, textwrap.Indent(text, "   "))
}
