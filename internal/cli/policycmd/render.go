package policycmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/cli/console"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// renderResult tells a decision to a person: the decision, its reasons, and what would
// change it. Text fits the terminal; the statements of policies, which are copied, stay whole.
func renderResult(a *console.App, sc iampolicy.Scenario, r iampolicy.Result) error {
	var b, out bytes.Buffer
	fit := func() {
		out.WriteString(console.Fit(a.Out, b.String()))
		b.Reset()
	}
	fmt.Fprintf(&b, "%s: %s on %s by %s\n", verdict(r.Decision), sc.Request.Action, sc.Request.Resource, sc.Request.Principal)
	if r.RootCause != "" {
		fmt.Fprintf(&b, "look first at: %s\n", layerName(r.RootCause))
	}
	for _, l := range r.Layers {
		renderLayer(&b, sc, l)
	}
	for i, f := range r.Fixes {
		if i == 0 {
			b.WriteString("\nTo allow it:\n")
		}
		renderFix(&b, i+1, f)
		fit()
		renderStatement(&out, f.Statement)
	}
	for i, advice := range r.Advice {
		if i == 0 {
			b.WriteString("\nNo change is proven to let this request in and nothing else:\n")
		}
		renderAdvice(&b, advice)
	}
	if len(r.Assumptions) > 0 {
		b.WriteString("\nAssumed:\n")
		for _, s := range r.Assumptions {
			fmt.Fprintf(&b, "  - %s\n", s)
		}
	}
	fit()
	_, err := a.Out.Write(out.Bytes())
	return err
}

func verdict(d iampolicy.Decision) string {
	switch d {
	case iampolicy.Allowed:
		return "ALLOWED"
	case iampolicy.ExplicitDeny:
		return "DENIED by a statement"
	case iampolicy.ImplicitDeny:
		return "DENIED, nothing allows it"
	default:
		return "UNKNOWN"
	}
}

func layerName(l iampolicy.Layer) string { return strings.ReplaceAll(string(l), "_", " ") }

func renderLayer(b *bytes.Buffer, sc iampolicy.Scenario, l iampolicy.LayerResult) {
	fmt.Fprintf(b, "\n%s", layerName(l.Layer))
	if l.Level != "" {
		fmt.Fprintf(b, " at %s", l.Level)
	}
	if l.Account != "" {
		fmt.Fprintf(b, " (account %s)", l.Account)
	}
	fmt.Fprintf(b, ": %s\n", strings.ReplaceAll(string(l.Decision), "_", " "))
	if l.Reason != "" {
		fmt.Fprintf(b, "  %s\n", l.Reason)
	}
	for n, s := range l.Statements {
		fmt.Fprintf(b, "  %s %s: %s", s.Effect, statementName(s), strings.ReplaceAll(string(s.Outcome), "_", " "))
		if s.FailedOn != "" {
			fmt.Fprintf(b, " on %s", s.FailedOn)
			if s.Key != "" {
				fmt.Fprintf(b, " %s %s", s.Operator, s.Key)
			}
		}
		b.WriteByte('\n')
		negated := s.FailedOn != "" && iampolicy.FailedOnNegated(sc, l, n)
		if s.FailedOn != "" && !negated {
			renderDifference(b, s)
		}
		if negated || s.Outcome == iampolicy.Matched {
			for _, text := range iampolicy.Negations(sc, l, n) {
				fmt.Fprintf(b, "    %s\n", text)
			}
		}
		if s.Note != "" {
			fmt.Fprintf(b, "    %s\n", s.Note)
		}
	}
}

// renderDifference prints the values of the element that failed, and the request's.
func renderDifference(b *bytes.Buffer, s iampolicy.StatementResult) {
	if len(s.Want) > 0 {
		fmt.Fprintf(b, "    wanted %s\n", strings.Join(s.Want, ", "))
	}
	got := "nothing"
	if len(s.Got) > 0 {
		got = strings.Join(s.Got, ", ")
	}
	fmt.Fprintf(b, "    got    %s\n", got)
}

// statementName names a statement by its Sid, or by its number, counted from 1 as verify does.
func statementName(s iampolicy.StatementResult) string {
	name := fmt.Sprintf("statement number %d", s.Index+1)
	if s.Sid != "" {
		name = fmt.Sprintf("%q", s.Sid)
	}
	if s.Policy != "" {
		name += " of " + s.Policy
	}
	return fmt.Sprintf("%s (%d:%d)", name, s.Line, s.Column)
}

func renderFix(b *bytes.Buffer, n int, f iampolicy.Fix) {
	fmt.Fprintf(b, "  %d. %s: %s of %s", n, strings.ReplaceAll(string(f.Kind), "_", " "), layerName(f.Layer), f.Target)
	if f.Account != "" {
		fmt.Fprintf(b, " (account %s)", f.Account)
	}
	fmt.Fprintf(b, "\n     %s\n", f.Why)
	if f.Sid != "" {
		fmt.Fprintf(b, "     statement %q, line %d\n", f.Sid, f.Line)
	}
	if f.Setting != "" {
		fmt.Fprintf(b, "     %s\n", f.Setting)
	}
	for k, v := range f.Context {
		fmt.Fprintf(b, "     %s = %s\n", k, strings.Join(v, ", "))
	}
}

// renderStatement prints the statement of a fix, if it has one.
func renderStatement(b *bytes.Buffer, statement json.RawMessage) {
	var pretty bytes.Buffer
	if len(statement) > 0 && json.Indent(&pretty, statement, "     ", "  ") == nil {
		fmt.Fprintf(b, "     %s\n", pretty.String())
	}
}

func renderAdvice(b *bytes.Buffer, a iampolicy.Advice) {
	fmt.Fprintf(b, "  - %s", layerName(a.Layer))
	if a.Target != "" {
		fmt.Fprintf(b, " of %s", a.Target)
	}
	if a.Account != "" {
		fmt.Fprintf(b, " (account %s)", a.Account)
	}
	fmt.Fprintf(b, ": %s\n", a.Text)
	for _, u := range a.Uncertain {
		fmt.Fprintf(b, "      %s\n", u)
	}
}
