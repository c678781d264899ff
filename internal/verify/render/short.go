package render

import (
	"fmt"
	"io"

	"github.com/brokerd/brokerd/internal/textwrap"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// Short prints two lines for each problem, and no line for a destination without one. A
// width of 0 is a reader without a terminal.
func Short(w io.Writer, p Paint, width int, r Result) error {
	for _, problem := range Problems(r.Report) {
		head := fmt.Sprintf("%s %s %s %s", p.Mark(problem.Result), p.Bold(clean(r.Destination)), problem.Code, verdict(problem.Check))
		if _, err := fmt.Fprintln(w, heading(head, width)); err != nil {
			return err
		}
		todo := problem.Fix.Text
		switch {
		case problem.SameFixAs > 0:
			todo = "Fix: the fix above."
		case todo == "":
			todo = problem.Why
		case problem.Result == report.Fail:
			todo += " Who: " + whoText(problem.Check) + "."
		}
		if todo == "" {
			continue
		}
		if _, err := fmt.Fprintln(w, textwrap.Indent(textwrap.Wrap(clean(todo), columns(width, "    ")), "    ")); err != nil {
			return err
		}
	}
	if r.Err != nil {
		text := fmt.Sprintf("%s %s could not be verified: %s", p.Mark(report.Unknown), p.Bold(clean(r.Destination)), clean(r.Err.Error()))
		if _, err := fmt.Fprintln(w, heading(text, width)); err != nil {
			return err
		}
	}
	return nil
}
