package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/brokerd/brokerd/internal/textwrap"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// Paint colours text.
type Paint struct{ Good, Bad, Warn, Dim, Bold func(...any) string }

// Plain leaves text as it is.
func Plain() Paint { return Paint{fmt.Sprint, fmt.Sprint, fmt.Sprint, fmt.Sprint, fmt.Sprint} }

// Mark returns the sign of a result, in its colour.
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

// Text prints for people. Call its methods in order: Begin, Check for each check,
// End; after the last destination, Done.
//
// The checks of a category are one line, which is printed when the category ends.
// A check that is not all right has a line of its own below it.
type Text struct {
	W      io.Writer
	Paint  Paint
	Margin string
	// Width is the number of columns of the terminal; 0 is a reader without one, who gets
	// prose of the usual width and whole headings.
	Width int
	// Verbose lists every check with its reason, all evidence, and the undecided
	// checks that no result depends on.
	Verbose bool
	// Messages prints the texts for the administrators of other accounts.
	Messages bool

	stage []report.Check // checks of the category that has not been printed
	err   error
}

func (t *Text) line(format string, args ...any) {
	if t.err != nil {
		return
	}
	text := fmt.Sprintf(format, args...)
	if text != "" {
		text = textwrap.Indent(text, t.Margin)
	}
	_, t.err = fmt.Fprintln(t.W, text)
}

// hang prints one line, and breaks it where it is wider than the terminal.
func (t *Text) hang(format string, args ...any) {
	t.line("%s", heading(fmt.Sprintf(format, args...), t.Width, t.Margin))
}

// block prints prose with an indentation.
func (t *Text) block(indent, label, text string) {
	if text != "" {
		t.line("%s", t.prose(indent, label+clean(text)))
	}
}

// prose breaks and indents text.
func (t *Text) prose(indent, text string) string {
	return textwrap.Indent(textwrap.Wrap(text, columns(t.Width, t.Margin, indent)), indent)
}

// Begin opens a destination.
func (t *Text) Begin(destination string) error {
	t.stage = nil
	t.line("%s", t.Paint.Bold("destination "+clean(destination)))
	return t.err
}

// Check takes one check. Problems are explained by End.
func (t *Text) Check(c report.Check) error {
	if len(t.stage) > 0 && stageOf(t.stage[0]) != stageOf(c) {
		t.flush()
	}
	t.stage = append(t.stage, c)
	return t.err
}

// flush prints the checks of a category. A category of which no document was
// supplied has no line: End counts its checks.
func (t *Text) flush() {
	list := t.stage
	t.stage = nil
	if t.Verbose {
		t.list(list)
		return
	}
	worst, shown := report.Skip, 0
	for _, c := range list {
		if !advisory(c) {
			shown++
			worst = worse(worst, c.Result)
		}
	}
	if shown == 0 {
		return
	}
	t.hang("  %s %s: %s", t.Paint.Mark(worst), stageOf(list[0]), counts(list))
	for _, c := range list {
		if c.Result == report.Fail || c.Result == report.Warn || c.Result == report.Unknown && !advisory(c) {
			t.hang("      %s %s  %s", t.Paint.Mark(c.Result), clean(c.Title), t.Paint.Dim(c.Code))
		}
	}
}

// list prints every check of a category.
func (t *Text) list(list []report.Check) {
	if len(list) == 0 {
		return
	}
	t.line("  %s", t.Paint.Dim(stageOf(list[0])))
	for _, c := range list {
		title, code := clean(c.Title), ""
		switch c.Result {
		case report.Skip:
			title = t.Paint.Dim(title)
		case report.Pass:
		default:
			code = "  " + t.Paint.Dim(c.Code)
		}
		t.hang("  %s %s%s", t.Paint.Mark(c.Result), title, code)
		if c.Why != "" && (c.Result == report.Pass || c.Result == report.Skip || advisory(c)) {
			t.line("%s", t.Paint.Dim(t.prose("      ", clean(c.Why))))
		}
	}
}

// End explains the problems of a destination, and counts.
func (t *Text) End(r Result) error {
	t.flush()
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
	t.block("  ", "", counts(r.Checks)+t.undecided(Advisory(r.Report)))
	if s := summary(problems); s != "" {
		t.hang("  %s", t.Paint.Bold(s))
	}
	if t.Messages {
		t.messages(r.Messages)
	} else if n := len(messagesForB(r.Messages)); n > 0 {
		t.hang("  %s", t.Paint.Dim("With --message, verify prints a text for the administrators of the other account."))
	}
	return t.err
}

// undecided counts the undecided checks that no result depends on.
func (t *Text) undecided(list []report.Check) string {
	see := "; -v lists them"
	if t.Verbose {
		see = ""
	}
	switch n := len(list); n {
	case 0:
		return ""
	case 1:
		return "; 1 more is undecided, and no result depends on it" + strings.Replace(see, "them", "it", 1)
	default:
		return fmt.Sprintf("; %d more are undecided, and no result depends on them%s", n, see)
	}
}

// problem prints the verdict, the statement, the fix, and the people who apply it.
func (t *Text) problem(p Problem) {
	mark := t.Paint.Mark(p.Result)
	if p.Number > 0 {
		mark += fmt.Sprintf(" %d.", p.Number)
	}
	t.hang("  %s %s  %s", mark, t.Paint.Bold(verdict(p.Check)), t.Paint.Dim(p.Code))
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
			t.line("%s", t.Paint.Dim(t.prose(in, evidenceText(e))))
		}
	}
	t.fix(p)
	about := "More: brokerctl explain " + p.Code
	if p.Confidence != "" && p.Result == report.Fail {
		about = "Confidence: " + string(p.Confidence) + ". " + about
	}
	t.hang("%s%s", in, t.Paint.Dim(about))
	if t.Verbose && len(p.Assumptions) > 0 {
		t.line("%s", t.Paint.Dim(t.prose(in, "Assumed: "+clean(strings.Join(p.Assumptions, "; ")))))
	}
}

// fix prints a fix once: as a command, which holds the statement, or as the statement.
func (t *Text) fix(p Problem) {
	const in = "      "
	if p.SameFixAs > 0 {
		t.line("%sFix: the fix of %d.", in, p.SameFixAs)
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
		t.line("%sPaste into a shell that is signed in there:", in)
		t.line("%s", textwrap.Indent(clean(p.Fix.Command), in+"  "))
	}
	if p.Result == report.Fail {
		t.block(in, "Who: ", whoText(p.Check))
	}
}

// document prints JSON with indentation, and other text as it is.
func (t *Text) document(text string) {
	if text != "" {
		t.line("%s", textwrap.Indent(clean(prettyJSON(text)), "        "))
	}
}

func prettyJSON(text string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(text), "", "  ") != nil {
		return text
	}
	return out.String()
}

// messagesForB returns the messages for other people than the reader.
func messagesForB(messages []report.Message) []report.Message {
	var out []report.Message
	for _, m := range messages {
		if m.Account.Side == report.SideB {
			out = append(out, m)
		}
	}
	return out
}

// messages prints the texts for the administrators of the other account.
func (t *Text) messages(list []report.Message) {
	for _, m := range messagesForB(list) {
		t.line("")
		t.hang("  %s", t.Paint.Dim("--- for the administrators of account "+accountText(m.Account)+" ---"))
		t.hang("  Subject: %s", clean(m.Subject))
		t.line("")
		t.line("%s", textwrap.Indent(clean(m.Text), "  "))
		t.line("  %s", t.Paint.Dim("--- end ---"))
	}
}

// Done summarizes several destinations.
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
		t.hang("%s %s", t.Paint.Mark(k.result), text)
	}
	return t.err
}
