package setup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// text is a policy document with the places of its statements, so that some can
// be changed and the rest stays as it is, byte for byte.
type text struct {
	doc         string
	list        bool // Statement is a list; a statement may also stand alone
	open, close int  // what is between the brackets, or the lone statement
	items       []span
}

type span struct {
	start, end int
	sid        string
}

func (t *text) raw(i int) string { return t.doc[t.items[i].start:t.items[i].end] }

var errNoStatements = errors.New("the policy has no Statement")

// readText finds the statements of a document.
func readText(doc string) (*text, error) {
	t := &text{doc: doc}
	d := json.NewDecoder(strings.NewReader(doc))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil, fmt.Errorf("reading a policy: not a JSON object: %w", errOr(err, errNoStatements))
	}
	found := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("reading a policy: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("reading a policy: %w", err)
		}
		if key != "Statement" {
			continue
		}
		end := int(d.InputOffset())
		if err := t.statements(value, end-len(value)); err != nil {
			return nil, err
		}
		found = true
	}
	if !found {
		return nil, errNoStatements
	}
	return t, nil
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func (t *text) statements(value json.RawMessage, at int) error {
	add := func(raw json.RawMessage, start int) error {
		var st struct{ Sid string }
		if err := json.Unmarshal(raw, &st); err != nil {
			return fmt.Errorf("reading a policy: a statement: %w", err)
		}
		t.items = append(t.items, span{start, start + len(raw), st.Sid})
		return nil
	}
	if value[0] == '{' {
		t.open, t.close = at, at+len(value)
		return add(value, at)
	}
	if value[0] != '[' {
		return errNoStatements
	}
	t.list, t.open, t.close = true, at+1, at+len(value)-1
	d := json.NewDecoder(bytes.NewReader(value))
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("reading a policy: %w", err)
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf("reading a policy: %w", err)
		}
		if err := add(raw, at+int(d.InputOffset())-len(raw)); err != nil {
			return err
		}
	}
	return nil
}

// loneMark stands after the bracket that is put around a statement which stood
// alone, so that it can stand alone again. In a list that begins with it, ours
// would come after a comma and the same mark, and not after the comma alone.
const loneMark = " "

// edit is the document with some statements replaced (by index), some removed
// and some added at the end. Taking out what was added gives the document back,
// byte for byte. It is "" when no statement is left.
func (t *text) edit(replaced map[int]string, removed map[int]bool, added []Statement, dense bool) string {
	before, after, lead, tail := t.doc[:t.open], t.doc[t.close:], "", ""
	if t.list && len(t.items) > 0 {
		lead, tail = t.doc[t.open:t.items[0].start], t.doc[t.items[len(t.items)-1].end:t.close]
	}
	// How statements are set apart here; the last gap, for that is where ours come.
	gap := "," + lead
	if n := len(t.items); n > 1 {
		gap = t.doc[t.items[n-2].end:t.items[n-1].start]
	}
	if !t.list || len(t.items) == 0 {
		gap = ","
	}
	var b strings.Builder
	n := 0
	for i := range t.items {
		if removed[i] {
			continue
		}
		if n > 0 {
			sep := gap
			if i > 0 {
				sep = t.doc[t.items[i-1].end:t.items[i].start]
			}
			b.WriteString(sep)
		}
		if r, ok := replaced[i]; ok {
			b.WriteString(r)
		} else {
			b.WriteString(t.raw(i))
		}
		n++
	}
	for _, s := range added {
		if n > 0 {
			b.WriteString(gap)
		}
		b.WriteString(set(s, gap, dense))
		n++
	}
	switch {
	case n == 0:
		return ""
	case !t.list && n > 1:
		return before + "[" + loneMark + b.String() + "]" + after
	case t.list && n == 1 && len(t.items) > 1 && lead == loneMark && tail == "" && t.doc[t.items[0].end:t.items[1].start] == ",":
		return strings.TrimSuffix(before, "[") + b.String() + strings.TrimPrefix(after, "]")
	}
	return before + lead + b.String() + tail + after
}

// set writes a statement the way its neighbours are set apart: on lines of its
// own, or without white space.
func set(s Statement, gap string, dense bool) string {
	i := strings.LastIndexByte(gap, '\n')
	if i < 0 || dense {
		return compact(s)
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(compact(s)), gap[i+1:], "  ") != nil {
		return compact(s)
	}
	return b.String()
}
