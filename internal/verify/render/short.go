package render

import (
	"fmt"
	"io"

	"github.com/brokerd/brokerd/internal/verify"
)

// Short prints what is not all right, two lines a problem, and nothing else: a
// destination without one is not mentioned.
func Short(w io.Writer, p Paint, r Result) error {
	for _, problem := range Problems(r.Report) {
		if _, err := fmt.Fprintf(w, "%s %s %s %s\n", p.mark(problem.Result), p.Bold(r.Destination), problem.Code, verdict(problem.Check)); err != nil {
			return err
		}
		todo := problem.Fix.Text
		switch {
		case problem.SameFixAs > 0:
			todo = "the same fix as above"
		case todo == "":
			todo = problem.Why
		case problem.Result == verify.Fail:
			todo += " Who: " + whoText(problem.Check) + "."
		}
		if todo == "" {
			continue
		}
		if _, err := fmt.Fprintln(w, Indent(Wrap(todo, Width), "    ")); err != nil {
			return err
		}
	}
	if r.Err != nil {
		if _, err := fmt.Fprintf(w, "%s %s could not be verified: %v\n", p.mark(verify.Unknown), p.Bold(r.Destination), r.Err); err != nil {
			return err
		}
	}
	return nil
}
