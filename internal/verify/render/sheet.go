package render

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// sheet is a policy document, line by line, with what matters marked.
type sheet struct {
	Title string
	Parts []sheetPart
	Fault bool // a statement is marked as at fault
	Near  bool // one is marked as near
}

// sheetPart is a run of lines; those that are far from every mark are folded.
type sheetPart struct {
	Folded      bool
	First, Last int
	Lines       []sheetLine
}

type sheetLine struct {
	Number int
	Text   string
	Class  string // "", "fault" or "near"
}

// documentOf is the document that a check is about, if it was given. Of several of
// a kind it is the one that the check names.
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
		return report.PolicyDocument{}, false // another one than the check is about
	}
	return *any, true
}

// sheetOf shows the document of a check's artefact: the statement at fault marked,
// or else the nearest one. Without the document it is the statement alone; nil
// when nothing is known of either.
func sheetOf(r report.Report, c report.Check) *sheet {
	s := c.Artefact.Statement
	doc, ok := documentOf(r, c)
	if !ok {
		if s == nil || s.Text == "" {
			return nil
		}
		lines := linesOf(prettyJSON(s.Text))
		mark(lines, 1, len(lines), "fault")
		return &sheet{Title: upperFirst(artefactText(c.Artefact)) + ", " + statementName(*s), Parts: []sheetPart{{Lines: lines}}, Fault: true}
	}
	out := &sheet{Title: upperFirst(artefactText(c.Artefact))}
	if doc.ARN != "" {
		out.Title += " of " + doc.ARN
	}
	text := doc.Text
	if !strings.Contains(strings.TrimSpace(text), "\n") {
		text = prettyJSON(text) // nobody reads a policy in one line
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

func linesOf(text string) []sheetLine {
	var out []sheetLine
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		out = append(out, sheetLine{Number: 1 + len(out), Text: strings.TrimRight(line, "\r")})
	}
	return out
}

// mark marks the lines from first to last, and says whether there are any.
func mark(lines []sheetLine, first, last int, class string) bool {
	found := false
	for i := range lines {
		if n := lines[i].Number; n >= first && n <= last {
			lines[i].Class, found = class, true
		}
	}
	return found
}

const (
	nearby   = 4 // lines around a mark that are shown with it
	foldable = 6 // fewer lines are not worth folding
)

// parts folds what is far from every mark. A document without one is shown whole.
func parts(lines []sheetLine) []sheetPart {
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
		return []sheetPart{{Lines: lines}}
	}
	var out []sheetPart
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
			out = append(out, sheetPart{Folded: folded, First: from + 1, Last: to, Lines: lines[from:to]})
		}
		from = to
	}
	return out
}

// statementLines are the first and the last line, from 1, of a statement in a
// policy; 0 and 0 when it is not there.
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

// element is where the element of a list begins and ends. A single statement may
// stand for a list of one.
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
