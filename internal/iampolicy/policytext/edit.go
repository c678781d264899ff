package policytext

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Changes are what Edit does to a document. Statements are given as compact JSON.
type Changes struct {
	Replaced map[int]string // by index; written as given
	Removed  map[int]bool   // by index
	Added    []string       // at the end; indented like the statements before them
	Dense    bool           // adds without white space
}

// loneMark stands after the bracket that Edit puts around a statement which stood
// alone, so that it can stand alone again. In a list that begins with it, an added
// statement would come after a comma and the same mark, not after the comma alone.
const loneMark = " "

// Edit returns the document with some statements replaced, some removed and some
// added. Taking out an added statement gives the document back, byte for byte. It
// returns "" when no statement is left.
func (d *Document) Edit(c Changes) string {
	before, after, lead, tail := d.text[:d.open], d.text[d.close:], "", ""
	n := len(d.statements)
	if d.list && n > 0 {
		lead, tail = d.text[d.open:d.statements[0].Start], d.text[d.statements[n-1].End:d.close]
	}
	gap := d.gap(lead)
	var b strings.Builder
	written := 0
	for i := range d.statements {
		if c.Removed[i] {
			continue
		}
		if written > 0 {
			sep := gap
			if i > 0 {
				sep = d.text[d.statements[i-1].End:d.statements[i].Start]
			}
			b.WriteString(sep)
		}
		if r, ok := c.Replaced[i]; ok {
			b.WriteString(r)
		} else {
			b.WriteString(d.Raw(i))
		}
		written++
	}
	for _, s := range c.Added {
		if written > 0 {
			b.WriteString(gap)
		}
		b.WriteString(indentLike(s, gap, c.Dense))
		written++
	}
	switch {
	case written == 0:
		return ""
	case !d.list && written > 1:
		return before + "[" + loneMark + b.String() + "]" + after
	case d.list && written == 1 && n > 1 && lead == loneMark && tail == "" && d.text[d.statements[0].End:d.statements[1].Start] == ",":
		return strings.TrimSuffix(before, "[") + b.String() + strings.TrimPrefix(after, "]")
	}
	return before + lead + b.String() + tail + after
}

// gap returns the text between two statements. Of several gaps it returns the
// last, for added statements follow it.
func (d *Document) gap(lead string) string {
	n := len(d.statements)
	switch {
	case !d.list || n == 0:
		return ","
	case n > 1:
		return d.text[d.statements[n-2].End:d.statements[n-1].Start]
	}
	return "," + lead
}

// Indent returns a replacement for statement i in the form of the old one:
// indented when that has lines of its own, else compact.
func (d *Document) Indent(i int, statement string) string {
	gap := ""
	if before := d.text[:d.statements[i].Start]; strings.Contains(d.Raw(i), "\n") {
		gap = before[strings.LastIndexByte(before, '\n')+1:]
		gap = "\n" + gap[:len(gap)-len(strings.TrimLeft(gap, " \t"))]
	}
	return indentLike(statement, gap, false)
}

func indentLike(statement, gap string, dense bool) string {
	i := strings.LastIndexByte(gap, '\n')
	if i < 0 || dense {
		return statement
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(statement), gap[i+1:], "  ") != nil {
		return statement
	}
	return b.String()
}
