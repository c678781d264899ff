package testbed

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// AddStatement appends a statement to a policy document. It replaces a statement with the same Sid.
func AddStatement(doc, statement string) (string, error) {
	sid := ""
	if n, err := policytext.Read(statement, policytext.MaxBytes); err == nil {
		if s := n.Get("Sid"); s != nil {
			sid = s.Text
		}
	}
	return edit(doc, policytext.Changes{Added: []string{statement}}, func(d *policytext.Document, i int) bool {
		return sid != "" && d.Statements()[i].Sid == sid
	})
}

// RemoveAllow removes the Allow statements in which text occurs.
func RemoveAllow(doc, text string) (string, error) {
	return edit(doc, policytext.Changes{}, func(d *policytext.Document, i int) bool {
		return strings.Contains(d.Raw(i), text) && policytext.ReadElements(d.Raw(i)).Has("Effect", "Allow")
	})
}

// edit makes the changes, and removes the statements that removed selects.
func edit(doc string, c policytext.Changes, removed func(d *policytext.Document, i int) bool) (string, error) {
	d, err := policytext.ReadDocument(doc)
	if err != nil {
		return "", err
	}
	c.Removed = map[int]bool{}
	for i := range d.Statements() {
		c.Removed[i] = removed(d, i)
	}
	return d.Edit(c), nil
}
