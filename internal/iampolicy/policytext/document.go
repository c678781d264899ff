package policytext

import (
	"errors"
	"fmt"
)

// Document is a policy document with the places of its statements.
type Document struct {
	text        string
	list        bool // Statement is a list; a statement may also stand alone
	open, close int  // the bytes between the brackets, or the lone statement
	statements  []Statement
	root        *Node
}

// Statement is the place of one statement in its document.
type Statement struct {
	Sid        string
	Start, End int // byte offsets
}

// ErrNoStatement is returned for a document that has no element Statement.
var ErrNoStatement = errors.New("the policy has no Statement")

// ReadDocument finds the statements of a document. It does not check their elements.
func ReadDocument(text string) (*Document, error) {
	root, err := Read(text, MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("reading a policy: %w", err)
	}
	statements := root.Get("Statement")
	if statements == nil {
		return nil, fmt.Errorf("reading a policy: %w", ErrNoStatement)
	}
	d := &Document{text: text, root: root, open: statements.Pos, close: statements.End}
	if d.list = statements.Kind == ArrayNode; d.list {
		d.open, d.close = d.open+1, d.close-1
	}
	for _, n := range statements.Items() {
		if n.Kind != ObjectNode {
			return nil, fmt.Errorf("reading a policy: a statement is an object, not %s", n.Kind)
		}
		st := Statement{Start: n.Pos, End: n.End}
		if sid := n.Get("Sid"); sid != nil && sid.Kind == StringNode {
			st.Sid = sid.Text
		}
		d.statements = append(d.statements, st)
	}
	return d, nil
}

// Statements returns the places of the statements. Do not change the list.
func (d *Document) Statements() []Statement { return d.statements }

// Text returns the document as it was read.
func (d *Document) Text() string { return d.text }

// Raw returns the text of statement i.
func (d *Document) Raw(i int) string { return d.text[d.statements[i].Start:d.statements[i].End] }

// Rest returns the elements next to Statement, Version and Id, as compact JSON by name.
func (d *Document) Rest() map[string]string {
	out := map[string]string{}
	for i := range d.root.Members {
		if m := &d.root.Members[i]; m.Key != "Statement" {
			out[m.Key] = string(m.Value.JSON())
		}
	}
	return out
}
