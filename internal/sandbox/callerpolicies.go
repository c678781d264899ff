package sandbox

import (
	"fmt"
	"maps"
	"slices"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// callerPolicies are the caller's own policies as they are now: what was
// changed or deleted after AssumeRole counts. A nil boundary or session list
// means that there is none. The caller holds mu.
func (w *world) callerPolicies(c *caller) (identity, boundary, session []iampolicy.NamedPolicy) {
	switch c.kind {
	case rootUser:
		identity = []iampolicy.NamedPolicy{{Name: "root", Policy: w.rootPolicy}}
	case iamUser:
		identity, boundary = w.entityPolicies(c.account, c.user.inline, &c.user.grants)
		for _, g := range w.accounts[c.account].groups {
			if slices.Contains(g.Members, c.user.name) {
				more, _ := w.entityPolicies(c.account, g.inline, &g.grants)
				identity = append(identity, more...)
			}
		}
	case roleSession:
		identity, boundary = w.entityPolicies(c.account, c.session.role.inline, &c.session.role.grants)
		if c.session.policies != nil {
			session = []iampolicy.NamedPolicy{}
			for i, p := range c.session.policies {
				session = append(session, iampolicy.NamedPolicy{Name: fmt.Sprintf("session-%d", i), Policy: p.doc})
			}
		}
	}
	return identity, boundary, session
}

// entityPolicies are the inline and attached policies of one entity, and its boundary.
func (w *world) entityPolicies(account string, inline namedDocuments, g *grants) (identity, boundary []iampolicy.NamedPolicy) {
	attached, boundary := g.documents(w, account)
	return append(inline.list(), attached...), boundary
}

func (n namedDocuments) list() []iampolicy.NamedPolicy {
	out := make([]iampolicy.NamedPolicy, 0, len(n))
	for _, name := range slices.Sorted(maps.Keys(n)) {
		out = append(out, iampolicy.NamedPolicy{Name: name, Policy: n[name].doc})
	}
	return out
}
