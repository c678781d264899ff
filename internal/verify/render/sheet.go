package render

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/brokerd/brokerd/internal/verify"
)

// sheet is a policy document, line by line, with what matters marked.
type sheet struct {
	Title string
	Lines []sheetLine
	// Add is the statement that is missing from it.
	Add string
}

type sheetLine struct {
	Number int
	Text   string
	Class  string // "", "fault" or "near"
}

// sheetOf shows the document of a check's artefact: the statement at fault marked,
// or else the nearest ones. Without the document it is the statement alone; nil
// when nothing is known of either.
func sheetOf(r verify.Report, c verify.Check) *sheet {
	doc, ok := documentOf(r, c.Artefact)
	if !ok {
		if s := c.Artefact.Statement; s != nil && s.Text != "" {
			out := &sheet{Title: artefactText(c.Artefact) + ": " + statementName(*s), Lines: linesOf(prettyJSON(s.Text), 1)}
			for i := range out.Lines {
				out.Lines[i].Class = "fault"
			}
			return out
		}
		return nil
	}
	out := &sheet{Title: artefactText(c.Artefact)}
	if doc.ARN != "" {
		out.Title += " of " + doc.ARN
	}
	text := strings.TrimSpace(doc.Text)
	if !strings.Contains(text, "\n") {
		text = prettyJSON(text) // nobody reads a policy in one line
	} else {
		text = doc.Text
	}
	out.Lines = linesOf(text, 1)
	mark := func(s verify.Statement, class string) {
		first, last := statementLines(text, s.Index)
		for i := range out.Lines {
			if n := out.Lines[i].Number; n >= first && n <= last && out.Lines[i].Class == "" {
				out.Lines[i].Class = class
			}
		}
	}
	if s := c.Artefact.Statement; s != nil {
		mark(*s, "fault")
	}
	for _, m := range c.NearMisses {
		if m.Policy == "" || m.Policy == doc.Name {
			mark(m.Statement, "near")
		}
	}
	if c.Fix.Kind == verify.FixAddStatement && len(c.Fix.Patch) > 0 {
		out.Add = prettyJSON(string(c.Fix.Patch))
	}
	return out
}

func linesOf(text string, from int) []sheetLine {
	var out []sheetLine
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		out = append(out, sheetLine{Number: from + len(out), Text: strings.TrimRight(line, "\r")})
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
