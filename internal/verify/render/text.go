package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/brokerd/brokerd/docs/checks"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// Paint colours text.
type Paint struct{ Good, Bad, Warn, Dim, Bold func(...any) string }

// Plain leaves text as it is.
func Plain() Paint { return Paint{fmt.Sprint, fmt.Sprint, fmt.Sprint, fmt.Sprint, fmt.Sprint} }

// Mark is the sign of an outcome, in its colour.
func (p Paint) Mark(r report.Result) string {
	m := markOf(r)
	switch r {
	case report.Pass:
		return p.Good(m)
	case report.Fail:
		return p.Bad(m)
	case report.Skip:
		return p.Dim(m)
	}
	return p.Warn(m)
}

// Text prints for people. Its methods are called in order: Begin, Check for each
// check as it ends, End; Done after the last destination.
type Text struct {
	W       io.Writer
	Paint   Paint
	Margin  string
	Verbose bool // also what was seen where all is right, why something was not run, and what nothing hangs on
	// Brief leaves out of the list what passed or was not run; it is counted all the same.
	Brief bool
	// NoLetters leaves out the messages for others.
	NoLetters bool

	category string
	err      error
}

func (t *Text) line(format string, args ...any) {
	if t.err != nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if text != "" {
		text = Indent(text, t.Margin)
	}
	_, t.err = fmt.Fprintln(t.W, text)
}

// block prints prose below a hanging indent.
func (t *Text) block(indent, label, text string) {
	if text != "" {
		t.line("%s", Indent(Wrap(label+clean(text), Width), indent))
	}
}

// Begin opens a destination.
func (t *Text) Begin(destination string) error {
	t.category = ""
	t.line("%s", t.Paint.Bold("destination "+clean(destination)))
	return t.err
}

// Check prints one check as it ends; what is wrong is explained at the end.
func (t *Text) Check(c report.Check) error {
	if (advisory(c) && !t.Verbose) || (t.Brief && (c.Result == report.Pass || c.Result == report.Skip)) {
		return t.err // counted at the end
	}
	if c.Category != t.category {
		t.category = c.Category
		t.line("  %s", t.Paint.Dim(clean(c.Category)))
	}
	title, code := clean(c.Title), ""
	switch c.Result {
	case report.Skip:
		title = t.Paint.Dim(title)
	case report.Pass:
	default:
		code = "  " + t.Paint.Dim(c.Code)
	}
	t.line("  %s %s%s", t.Paint.Mark(c.Result), title, code)
	if t.Verbose && c.Why != "" && (c.Result == report.Pass || c.Result == report.Skip || advisory(c)) {
		t.line("%s", t.Paint.Dim(Indent(Wrap(clean(c.Why), Width), "      ")))
	}
	return t.err
}

// End explains what is wrong with a destination, says who has to do what, and
// closes it.
func (t *Text) End(r Result) error {
	problems := Problems(r.Report)
	for _, p := range problems {
		t.line("")
		t.problem(p)
	}
	if len(problems) > 0 {
		t.line("")
	}
	if r.Err != nil {
		t.block("  ", "not verified to the end: ", r.Err.Error())
	}
	t.undecided(Advisory(r.Report))
	t.line("  %s", counts(r.Checks))
	if s := summary(problems); s != "" {
		t.line("  %s", t.Paint.Bold(s))
	}
	if !t.NoLetters {
		t.letters(r.Messages)
	}
	return t.err
}

// undecided says, once for each reason, how much could not be decided and decides
// nothing.
func (t *Text) undecided(list []report.Check) {
	var order []string
	n := make(map[string]int)
	for _, c := range list {
		if n[c.Code]++; n[c.Code] == 1 {
			order = append(order, c.Code)
		}
	}
	for _, code := range order {
		noun := "checks"
		if n[code] == 1 {
			noun = "check"
		}
		why := checks.Title(code)
		if why == "" {
			why = "see -v"
		}
		t.line("  %s %d %s could not be decided, and nothing hangs on it: %s  %s", t.Paint.Mark(report.Unknown), n[code], noun, why, t.Paint.Dim(code))
	}
}

// problem prints one: the verdict, the statement, the fix, who applies it.
func (t *Text) problem(p Problem) {
	mark := t.Paint.Mark(p.Result)
	if p.Number > 0 {
		mark += fmt.Sprintf(" %d.", p.Number)
	}
	t.line("  %s %s  %s", mark, t.Paint.Bold(verdict(p.Check)), t.Paint.Dim(p.Code))
	const in = "      "
	if p.Artefact.ARN != "" {
		t.line("%s%s", in, t.Paint.Dim(clean(p.Artefact.ARN)))
	}
	t.block(in, "", sentence(p.Why))
	if s := p.Artefact.Statement; s != nil {
		t.block(in, "At fault: ", statementName(*s))
		t.document(s.Text)
	} else if len(p.NearMisses) > 0 {
		t.block(in, "Nearest: ", missText(p.NearMisses[0]))
	}
	for _, e := range p.Evidence {
		if e.Source == report.SourceProbe || t.Verbose {
			t.line("%s", t.Paint.Dim(Indent(Wrap(evidenceText(e), Width), in)))
		}
	}
	t.fix(p)
	about := "More: brokerctl explain " + p.Code
	if p.Confidence != "" && p.Result == report.Fail {
		about = "Confidence: " + string(p.Confidence) + ". " + about
	}
	t.line("%s%s", in, t.Paint.Dim(about))
	if t.Verbose && len(p.Assumptions) > 0 {
		t.line("%s", t.Paint.Dim(Indent(Wrap("Assumed: "+clean(strings.Join(p.Assumptions, "; ")), Width), in)))
	}
}

func (t *Text) fix(p Problem) {
	const in = "      "
	if p.SameFixAs > 0 {
		t.line("%sFix: the same as of %d.", in, p.SameFixAs)
		return
	}
	if p.Fix.IsZero() {
		return
	}
	t.block(in, "Fix: ", p.Fix.Text)
	if len(p.Fix.Patch) > 0 && !strings.Contains(p.Fix.Command, string(p.Fix.Patch)) {
		t.document(string(p.Fix.Patch))
	}
	if p.Fix.Command != "" {
		t.line("%sPaste, signed in there:", in)
		t.line("%s", Indent(clean(p.Fix.Command), in+"  "))
	}
	if p.Result == report.Fail {
		t.block(in, "Who: ", whoText(p.Check))
	}
}

// document prints JSON, indented anew where it is JSON.
func (t *Text) document(text string) {
	if text != "" {
		t.line("%s", Indent(clean(prettyJSON(text)), "        "))
	}
}

func prettyJSON(text string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(text), "", "  ") != nil {
		return text
	}
	return out.String()
}

// letters prints what is ready to be sent to the other account.
func (t *Text) letters(messages []report.Message) {
	for _, m := range messages {
		if m.Account.Side != report.SideB {
			continue // the reader's own account: all of it is above
		}
		t.line("")
		t.line("  %s", t.Paint.Dim("--- for the administrators of account "+accountText(m.Account)+" ---"))
		t.line("  Subject: %s", clean(m.Subject))
		t.line("")
		t.line("%s", Indent(clean(m.Text), "  "))
		t.line("  %s", t.Paint.Dim("--- end ---"))
	}
}

// Done sums several destinations up.
func (t *Text) Done(r Run) error {
	if len(r.Results) < 2 {
		return t.err
	}
	t.line("")
	for _, k := range results {
		var names []string
		for _, d := range r.Results {
			if d.Verdict() == k.result {
				names = append(names, d.Destination)
			}
		}
		if len(names) == 0 {
			continue
		}
		text := fmt.Sprintf("%d of %d destinations %s", len(names), len(r.Results), k.word)
		if k.result != report.Pass {
			text += ": " + strings.Join(names, ", ")
		}
		t.line("%s", Wrap(t.Paint.Mark(k.result)+" "+text, Width))
	}
	return t.err
}
