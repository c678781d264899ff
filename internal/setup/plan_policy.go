package setup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// limits are AWS's for the text of a document, in characters. White space counts
// for policies of resources, and not for IAM's.
var limits = map[Kind]int{KindTrust: 2048, KindIdentity: 10240, KindBucket: 20480, KindKey: 32768}

// policyEdit is what one document needs.
type policyEdit struct {
	op         Op
	after      string
	statements []StatementChange
	reason     string
}

// planPolicy compares a document with the statements that are wanted in it. current
// is "" when there is no document.
func planPolicy(kind Kind, current string, want Policy, own ownership) (policyEdit, error) {
	if current == "" {
		return newPolicy(want)
	}
	doc, err := policytext.ReadDocument(current)
	if err != nil {
		return policyEdit{}, err
	}
	d := documentPlan{
		kind:     kind,
		doc:      doc,
		want:     want,
		own:      own,
		wantedBy: map[int]Statement{},
		changes:  policytext.Changes{Replaced: map[int]string{}, Removed: map[int]bool{}},
	}
	d.compare()
	d.addMissing()
	e := policyEdit{op: OpKeep, after: current, statements: d.statements, reason: d.reason}
	if len(d.changes.Replaced)+len(d.changes.Removed)+len(d.changes.Added) == 0 {
		return e, nil
	}
	e.op, e.after = OpUpdate, d.edit(kind)
	if e.after == "" {
		e.op = OpDelete
	}
	return e, nil
}

// documentPlan collects the changes of one document.
type documentPlan struct {
	kind       Kind
	doc        *policytext.Document
	want       Policy
	own        ownership
	foreign    []policytext.Elements // statements of others
	seen       map[string]bool       // our Sids that the document has
	wantedBy   map[int]Statement     // the statement that replaces one of the document
	changes    policytext.Changes
	statements []StatementChange
	reason     string
}

// compare decides about each statement of the document. Of two statements with
// one Sid the first is ours; of an id of the older form and the present one, the
// present one is, and the other goes.
func (d *documentPlan) compare() {
	d.seen = map[string]bool{}
	sids, ours := make([]string, len(d.doc.Statements())), make([]bool, len(d.doc.Statements()))
	present := map[string]bool{}
	for i, s := range d.doc.Statements() {
		sids[i], ours[i] = d.own.claim(d.kind, d.doc, i)
		present[s.Sid] = true
	}
	for i, s := range d.doc.Statements() {
		old := s.Sid != sids[i]
		if ours[i] && (!old || !present[sids[i]]) {
			ours[i] = !d.seen[sids[i]]
			d.seen[sids[i]] = true
		}
		if !ours[i] {
			d.foreign = append(d.foreign, policytext.ReadElements(d.doc.Raw(i)))
		}
	}
	for i, s := range d.doc.Statements() {
		w := d.wanted(sids[i])
		switch {
		case !ours[i]:
			d.keep(i, StatementForeign)
		case w == nil || s.Sid != sids[i] && present[sids[i]]:
			d.remove(i)
		default:
			d.update(i, *w)
		}
	}
}

func (d *documentPlan) wanted(sid string) *Statement {
	for i := range d.want.Statement {
		if d.want.Statement[i].Sid == sid {
			return &d.want.Statement[i]
		}
	}
	return nil
}

func (d *documentPlan) keep(i int, op StatementOp) {
	raw := d.doc.Raw(i)
	d.statements = append(d.statements, StatementChange{Op: op, Sid: d.doc.Statements()[i].Sid, Before: raw, After: raw})
}

func (d *documentPlan) update(i int, want Statement) {
	raw, wanted := d.doc.Raw(i), compact(want)
	if d.doc.Statements()[i].Sid == want.Sid && policytext.ReadElements(raw).Equal(policytext.ReadElements(wanted)) {
		d.keep(i, StatementSame)
		return
	}
	after := d.doc.Indent(i, wanted)
	d.changes.Replaced[i], d.wantedBy[i] = after, want
	d.statements = append(
		d.statements,
		StatementChange{Op: StatementChanged, Sid: want.Sid, Before: raw, After: after, Elements: policytext.Differences(raw, wanted)},
	)
}

func (d *documentPlan) remove(i int) {
	raw, sid := d.doc.Raw(i), d.doc.Statements()[i].Sid
	if why := d.mustStay(sid); why != "" {
		d.reason = why
		d.keep(i, StatementForeign)
		return
	}
	d.changes.Removed[i] = true
	d.statements = append(
		d.statements,
		StatementChange{Op: StatementRemoved, Sid: sid, Before: raw, Elements: policytext.Differences(raw, "")},
	)
}

func (d *documentPlan) addMissing() {
	for _, s := range d.want.Statement {
		if d.seen[s.Sid] || said(s, d.foreign) {
			continue
		}
		d.changes.Added = append(d.changes.Added, compact(s))
		d.statements = append(d.statements, addition(s))
	}
}

// edit writes the document. One that grows over AWS's limit is written again
// without white space in our statements.
func (d *documentPlan) edit(kind Kind) string {
	after := d.doc.Edit(d.changes)
	if limit := limits[kind]; limit == 0 || len(after) <= limit {
		return after
	}
	for i := range d.changes.Replaced {
		d.changes.Replaced[i] = compact(d.wantedBy[i])
	}
	d.changes.Dense = true
	return d.doc.Edit(d.changes)
}

func newPolicy(want Policy) (policyEdit, error) {
	if want.Empty() {
		return policyEdit{op: OpKeep}, nil
	}
	out, err := want.JSON()
	if err != nil {
		return policyEdit{}, err
	}
	e := policyEdit{op: OpCreate, after: strings.TrimSuffix(string(out), "\n")}
	for _, s := range want.Statement {
		e.statements = append(e.statements, addition(s))
	}
	return e, nil
}

func addition(s Statement) StatementChange {
	after := compact(s)
	return StatementChange{Op: StatementAdded, Sid: s.Sid, After: after, Elements: policytext.Differences("", after)}
}

// said reports whether a foreign statement has the same meaning already.
// A key policy that has statements of others already says who administers the key;
// adding the whole account would widen it.
func said(s Statement, foreign []policytext.Elements) bool {
	if s.Sid == SidKeyAdmin && len(foreign) > 0 {
		return true
	}
	wanted := policytext.ReadElements(compact(s))
	return slices.ContainsFunc(foreign, func(e policytext.Elements) bool { return e.Equal(wanted) })
}

// mustStay returns the reason why a statement stays that no destination asks for.
func (d *documentPlan) mustStay(sid string) string {
	switch sid {
	case SidDenyPlainHTTP:
		if d.hasOthers() {
			return "another configuration of brokerd uses the bucket: the refusal of plain HTTP stays for it"
		}
	case SidKeyAdmin:
		for _, e := range d.foreign {
			if e.Has("Effect", "Allow") && e.Has("Action", "kms:*") {
				return ""
			}
		}
		return fmt.Sprintf("%s is all that lets the account administer its key: it stays", SidKeyAdmin)
	}
	return ""
}

// hasOthers reports whether another configuration of brokerd has statements here.
func (d *documentPlan) hasOthers() bool {
	for i, s := range d.doc.Statements() {
		if _, ours := d.own.claim(d.kind, d.doc, i); isBrokerdSid(s.Sid) && !ours {
			return true
		}
	}
	return false
}
