package iampolicy

import (
	"encoding/json"
	"errors"
)

// Document is a parsed policy. It never changes and may be shared between
// goroutines. The zero value is a document without statements.
type Document struct {
	text       string
	version    string
	statements []statement
}

// Text is the document as it was read.
func (d *Document) Text() string {
	if d == nil {
		return ""
	}
	return d.text
}

// Len is the number of statements.
func (d *Document) Len() int {
	if d == nil {
		return 0
	}
	return len(d.statements)
}

// StatementText is the text of a statement as it was read, with its place.
func (d *Document) StatementText(i int) (text string, line, column int) {
	if d == nil || i < 0 || i >= len(d.statements) {
		return "", 0, 0
	}
	s := &d.statements[i]
	return d.text[s.start:s.end], s.line, s.column
}

// UnmarshalJSON parses a policy inside another JSON text. Positions in errors
// and traces count from the policy's own beginning.
func (d *Document) UnmarshalJSON(data []byte) error {
	p, err := Parse(data)
	if err != nil {
		return err
	}
	*d = *p
	return nil
}

var errNoDocument = errors.New("encoding a policy: the document was never parsed")

// MarshalJSON gives the policy as it was read.
func (d *Document) MarshalJSON() ([]byte, error) {
	if d == nil {
		return []byte("null"), nil
	}
	if d.text == "" {
		return nil, errNoDocument
	}
	return json.RawMessage(d.text), nil
}
