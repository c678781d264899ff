package render

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// policyPage shows a policy document with its line numbers and with marked lines.
type policyPage struct {
	Title string
	Parts []pagePart
	Fault bool // a statement is marked as at fault
	Near  bool // one is marked as near
}

// pagePart is consecutive lines. Lines far from every mark are folded.
type pagePart struct {
	Folded      bool
	First, Last int
	Lines       []pageLine
}

type pageLine struct {
	Number int
	Text   string
	Class  string // "", "fault" or "near"
}

// documentOf returns the document that a check is about, if it was supplied. Among
// several of a kind, it is the one that the check names.
func documentOf(r report.Report, c report.Check) (report.PolicyDocument, bool) {
	if c.Artefact.Kind == "" {
		return report.PolicyDocument{}, false
	}
	names := []string{c.Artefact.Name, c.Fix.Policy}
	if len(c.NearMisses) > 0 {
		names = append(names, c.NearMisses[0].Policy)
	}
	var any *report.PolicyDocument
	for _, d := range r.Documents {
		if d.Kind != c.Artefact.Kind || d.State != report.Known {
			continue
		}
		if d.Name != "" && slices.Contains(names, d.Name) {
			return d, true
		}
		if any == nil {
			any = &d
		}
	}
	if any == nil || (c.Artefact.Name != "" && any.Name != "") {
		return report.PolicyDocument{}, false // the check is about another document
	}
	return *any, true
}

// pageOf shows the document of a check's artefact, and marks the statement at fault
// or else the nearest one. Without the document it shows the statement alone. It
// returns nil when neither is known.
func pageOf(r report.Report, c report.Check) *policyPage {
	s := c.Artefact.Statement
	doc, ok := documentOf(r, c)
	if !ok {
		if s == nil || s.Text == "" {
			return nil
		}
		lines := linesOf(prettyJSON(s.Text))
		mark(lines, 1, len(lines), "fault")
		return &policyPage{Title: upperFirst(artefactText(c.Artefact)) + ", " + statementName(*s), Parts: []pagePart{{Lines: lines}}, Fault: true}
	}
	out := &policyPage{Title: upperFirst(artefactText(c.Artefact))}
	if doc.ARN != "" {
		out.Title += " of " + doc.ARN
	}
	text := doc.Text
	if !strings.Contains(strings.TrimSpace(text), "\n") {
		text = prettyJSON(text) // a policy in a single line is not readable
	}
	lines := linesOf(text)
	if s != nil {
		out.Title += ", " + statementName(*s)
		first, last := statementLines(text, s.Index)
		out.Fault = mark(lines, first, last, "fault")
	} else if len(c.NearMisses) > 0 {
		first, last := statementLines(text, c.NearMisses[0].Statement.Index)
		out.Near = mark(lines, first, last, "near")
	}
	out.Parts = parts(lines)
	return out
}

func linesOf(text string) []pageLine {
	var out []pageLine
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		out = append(out, pageLine{Number: 1 + len(out), Text: strings.TrimRight(line, "\r")})
	}
	return out
}

// mark marks the lines from first to last, and reports whether there are any.
func mark(lines []pageLine, first, last int, class string) bool {
	found := false
	for i := range lines {
		if n := lines[i].Number; n >= first && n <= last {
			lines[i].Class, found = class, true
		}
	}
	return found
}

const (
	nearby   = 4 // lines around a mark that stay visible
	foldable = 6 // fewer lines are not folded
)

// parts folds lines that are far from every mark. Without a mark, it folds none.
func parts(lines []pageLine) []pagePart {
	show := make([]bool, len(lines))
	marked := false
	for i, l := range lines {
		if l.Class == "" {
			continue
		}
		marked = true
		for j := max(0, i-nearby); j < min(len(lines), i+nearby+1); j++ {
			show[j] = true
		}
	}
	if !marked {
		return []pagePart{{Lines: lines}}
	}
	var out []pagePart
	for from := 0; from < len(lines); {
		to := from + 1
		for to < len(lines) && show[to] == show[from] {
			to++
		}
		folded := !show[from] && to-from >= foldable
		if n := len(out); n > 0 && !folded && !out[n-1].Folded {
			out[n-1].Lines = lines[out[n-1].First-1 : to]
			out[n-1].Last = to
		} else {
			out = append(out, pagePart{Folded: folded, First: from + 1, Last: to, Lines: lines[from:to]})
		}
		from = to
	}
	return out
}

// statementLines returns the first and the last line, from 1, of a statement in a
// policy; 0 and 0 when the policy has no such statement.
func statementLines(text string, index int) (first, last int) {
	dec := json.NewDecoder(strings.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return 0, 0
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return 0, 0
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return 0, 0
		}
		if name, ok := key.(string); !ok || !strings.EqualFold(name, "Statement") {
			continue
		}
		begin := int(dec.InputOffset()) - len(value)
		from, to, ok := element(value, index)
		if !ok {
			return 0, 0
		}
		return 1 + strings.Count(text[:begin+from], "\n"), 1 + strings.Count(text[:begin+to], "\n")
	}
	return 0, 0
}

// element returns the offsets of an element of a list. A single statement counts as
// a list of one.
func element(list json.RawMessage, index int) (from, to int, ok bool) {
	if len(list) > 0 && list[0] == '{' {
		return 0, len(list), index == 0
	}
	dec := json.NewDecoder(bytes.NewReader(list))
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return 0, 0, false
	}
	for i := 0; dec.More(); i++ {
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return 0, 0, false
		}
		if i == index {
			end := int(dec.InputOffset())
			return end - len(value), end, true
		}
	}
	return 0, 0, false
}
