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
		identity = c.user.inline.list()
	case roleSession:
		identity = c.session.role.inline.list()
		if c.session.policies != nil {
			session = []iampolicy.NamedPolicy{}
			for i, p := range c.session.policies {
				session = append(session, iampolicy.NamedPolicy{Name: fmt.Sprintf("session-%d", i), Policy: p.doc})
			}
		}
	}
	return identity, boundary, session
}

func (n namedDocuments) list() []iampolicy.NamedPolicy {
	out := make([]iampolicy.NamedPolicy, 0, len(n))
	for _, name := range slices.Sorted(maps.Keys(n)) {
		out = append(out, iampolicy.NamedPolicy{Name: name, Policy: n[name].doc})
	}
	return out
}
