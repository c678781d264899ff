package render

import (
	"fmt"
	"io"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// Short prints two lines for each problem, and no line for a destination without one.
func Short(w io.Writer, p Paint, r Result) error {
	for _, problem := range Problems(r.Report) {
		if _, err := fmt.Fprintf(w, "%s %s %s %s\n", p.Mark(problem.Result), p.Bold(clean(r.Destination)), problem.Code,
			verdict(problem.Check)); err != nil {
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
		if _, err := fmt.Fprintln(w, Indent(Wrap(clean(todo), Width), "    ")); err != nil {
			return err
		}
	}
	if r.Err != nil {
		if _, err := fmt.Fprintf(w, "%s %s could not be verified: %s\n", p.Mark(report.Unknown), p.Bold(clean(r.Destination)),
			clean(r.Err.Error())); err != nil {
			return err
		}
	}
	return nil
}
