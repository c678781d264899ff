package setup

import (
	"fmt"
	"slices"
	"strings"
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

// planPolicy compares a document with what is wanted of it. current is "" when
// there is none.
func planPolicy(kind Kind, current string, want Policy, own ownership) (policyEdit, error) {
	if current == "" {
		return newPolicy(want)
	}
	t, err := readText(current)
	if err != nil {
		return policyEdit{}, err
	}
	e := policyEdit{op: OpKeep, after: current}
	replaced, removed := map[int]string{}, map[int]bool{}
	var foreign []facts
	seen := map[string]bool{}
	for i, item := range t.items {
		mine := (own.ours(item.sid) || slices.Contains(shared, item.sid)) && !seen[item.sid]
		if !mine {
			foreign = append(foreign, factsOf([]byte(t.raw(i))))
			continue
		}
		seen[item.sid] = true
	}
	seen = map[string]bool{}
	others := slices.ContainsFunc(t.items, func(s span) bool { return alike(s.sid) && !own.ours(s.sid) && !slices.Contains(shared, s.sid) })
	for i, item := range t.items {
		raw := t.raw(i)
		if seen[item.sid] || (!own.ours(item.sid) && !slices.Contains(shared, item.sid)) {
			e.statements = append(e.statements, StatementChange{Op: StatementForeign, Sid: item.sid, Before: raw, After: raw})
			continue
		}
		seen[item.sid] = true
		w := slices.IndexFunc(want.Statement, func(s Statement) bool { return s.Sid == item.sid })
		if w < 0 {
			if stay := mustStay(item.sid, others, foreign); stay != "" {
				e.reason = stay
				e.statements = append(e.statements, StatementChange{Op: StatementForeign, Sid: item.sid, Before: raw, After: raw})
				continue
			}
			removed[i] = true
			e.statements = append(e.statements, StatementChange{Op: StatementRemoved, Sid: item.sid, Before: raw, Elements: factsOf([]byte(raw)).changes(nil, []byte(raw))})
			continue
		}
		wanted := []byte(compact(want.Statement[w]))
		is, shall := factsOf([]byte(raw)), factsOf(wanted)
		if is.equal(shall) {
			e.statements = append(e.statements, StatementChange{Op: StatementSame, Sid: item.sid, Before: raw, After: raw})
			continue
		}
		gap := ""
		if before := t.doc[:item.start]; strings.Contains(raw, "\n") {
			gap = before[strings.LastIndexByte(before, '\n')+1:]
			gap = "\n" + gap[:len(gap)-len(strings.TrimLeft(gap, " \t"))]
		}
		replaced[i] = set(want.Statement[w], gap, false)
		e.statements = append(e.statements, StatementChange{Op: StatementChanged, Sid: item.sid, Before: raw, After: replaced[i], Elements: is.changes(shall, []byte(raw), wanted)})
	}
	var added []Statement
	for _, s := range want.Statement {
		if seen[s.Sid] || said(s, foreign) {
			continue
		}
		added = append(added, s)
		e.statements = append(e.statements, addition(s))
	}
	if len(replaced)+len(removed)+len(added) == 0 {
		return e, nil
	}
	e.after = t.edit(replaced, removed, added, false)
	if limit := limits[kind]; limit > 0 && len(e.after) > limit {
		for i := range replaced {
			w := slices.IndexFunc(want.Statement, func(s Statement) bool { return s.Sid == t.items[i].sid })
			replaced[i] = compact(want.Statement[w])
		}
		e.after = t.edit(replaced, removed, added, true)
	}
	e.op = OpUpdate
	if e.after == "" {
		e.op = OpDelete
	}
	return e, nil
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
	return StatementChange{Op: StatementAdded, Sid: s.Sid, After: after, Elements: facts(nil).changes(factsOf([]byte(after)), []byte(after))}
}

// said reports whether somebody else's statement says the same already. Who
// administers a key is said by its policy as it is: giving the whole account a
// hold on it would be more than anybody asked for.
func said(s Statement, foreign []facts) bool {
	if s.Sid == SidKeyAdmin && len(foreign) > 0 {
		return true
	}
	shall := factsOf([]byte(compact(s)))
	return slices.ContainsFunc(foreign, func(f facts) bool { return f.equal(shall) })
}

// mustStay says why a statement that nobody here asks for stays nevertheless.
func mustStay(sid string, others bool, foreign []facts) string {
	switch sid {
	case SidDenyPlainHTTP:
		if others {
			return "another configuration of brokerd uses the bucket: the refusal of plain HTTP stays for it"
		}
	case SidKeyAdmin:
		for _, f := range foreign {
			if f.has("Effect", "Allow") && f.has("Action", "kms:*") {
				return ""
			}
		}
		return fmt.Sprintf("%s is all that lets the account administer its key: it stays", SidKeyAdmin)
	}
	return ""
}
