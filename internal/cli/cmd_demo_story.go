package cli

import (
	"fmt"
	"io"

	"github.com/brokerd/brokerd/internal/verify/render"
)

// story prints numbered headings and what happens under them.
type story struct {
	w io.Writer
	p palette
	n int
}

func newStory(w io.Writer) *story { return &story{w: w, p: paletteFor(w)} }

func (s *story) heading(format string, args ...any) {
	s.n++
	_, _ = fmt.Fprintf(s.w, "\n%s\n", s.p.bold(fmt.Sprintf("%d. ", s.n)+fmt.Sprintf(format, args...)))
}

func (s *story) line(format string, args ...any) {
	_, _ = fmt.Fprintf(s.w, "   "+format+"\n", args...)
}

func (s *story) good(format string, args ...any) {
	s.line("%s %s", s.p.good("✓"), fmt.Sprintf(format, args...))
}

func (s *story) bad(format string, args ...any) {
	s.line("%s %s", s.p.bad("✗"), fmt.Sprintf(format, args...))
}

func (s *story) fact(name, format string, args ...any) {
	s.line("%s %s", s.p.dim(fmt.Sprintf("%-12s", name)), fmt.Sprintf(format, args...))
}

func (s *story) text(text string) { // keeps its own lines
	_, _ = fmt.Fprintln(s.w, render.Indent(text, "   "))
}
