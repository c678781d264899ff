package verify

import (
	"encoding/json"
	"errors"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// library holds the documents of a run, parsed. What is not in it is unread.
type library struct {
	byKind map[string][]shelf
}

// shelf is one document.
type shelf struct {
	report.PolicyDocument
	policy *iampolicy.Document // of a known policy that could be parsed
	fault  error               // why it could not
}

func newLibrary(p report.Policies) library {
	l := library{byKind: make(map[string][]shelf)}
	size := 0
	for _, d := range p.Documents {
		s := shelf{PolicyDocument: d}
		if size += len(d.Text); size > report.MaxPolicyBytes {
			s.State, s.Text, s.Reason = report.Unreadable, "", "the documents are larger than 512 KiB together"
		}
		if _, isPolicy := policyKind(d.Kind); s.State == report.Known && isPolicy {
			s.policy, s.fault = iampolicy.Parse([]byte(d.Text))
		} else if s.State == report.Known && !json.Valid([]byte(d.Text)) {
			s.fault = errors.New("it is no JSON")
		}
		l.byKind[d.Kind] = append(l.byKind[d.Kind], s)
	}
	return l
}

// empty says that nobody read anything.
func (l library) empty() bool {
	for _, list := range l.byKind {
		for _, s := range list {
			if s.State != report.Unreadable {
				return false
			}
		}
	}
	return true
}

// state sums a kind up: it is known only when every document of it is, and could
// be understood.
func (l library) state(kind string) (state report.DocumentState, why string) {
	list := l.byKind[kind]
	if len(list) == 0 {
		return report.Unreadable, "it was not read"
	}
	state = report.Absent
	for _, s := range list {
		switch {
		case s.fault != nil:
			return report.Unreadable, "it cannot be understood: " + s.fault.Error()
		case s.State == report.Known:
			state = report.Known
		case s.State != report.Absent:
			return report.Unreadable, orText(s.Reason, "it was not read")
		}
	}
	return state, ""
}

// read says that a kind is known or known to be absent.
func (l library) read(kind string) bool {
	state, _ := l.state(kind)
	return state != report.Unreadable
}

// one is the document of a kind of which there is one; nil when there is none,
// or when it is unread.
func (l library) one(kind string) *iampolicy.Document {
	if !l.read(kind) {
		return nil
	}
	for _, s := range l.byKind[kind] {
		if s.policy != nil {
			return s.policy
		}
	}
	return nil
}

// all are the documents of a kind of which there can be several. The list is
// empty and not nil when the kind is known to have none.
func (l library) all(kind string) []iampolicy.NamedPolicy {
	if !l.read(kind) {
		return nil
	}
	out := []iampolicy.NamedPolicy{}
	for _, s := range l.byKind[kind] {
		if s.policy != nil {
			out = append(out, iampolicy.NamedPolicy{Name: s.Name, Policy: s.policy})
		}
	}
	return out
}

// levels groups the documents of an organization by its levels.
func (l library) levels(kind string) []iampolicy.LevelPolicies {
	var out []iampolicy.LevelPolicies
	at := make(map[string]int)
	for _, s := range l.byKind[kind] {
		if s.policy == nil {
			continue
		}
		i, ok := at[s.Level]
		if !ok {
			i = len(out)
			at[s.Level] = i
			out = append(out, iampolicy.LevelPolicies{Level: s.Level})
		}
		out[i].Policies = append(out[i].Policies, iampolicy.NamedPolicy{Name: s.Name, Policy: s.policy})
	}
	return out
}

// setting decodes a setting into v; false when it is absent or unread.
func (l library) setting(kind string, v any) bool {
	if state, _ := l.state(kind); state != report.Known {
		return false
	}
	for _, s := range l.byKind[kind] {
		if s.State == report.Known {
			return json.Unmarshal([]byte(s.Text), v) == nil
		}
	}
	return false
}
