package iampolicy

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// webIdentitySubject reports a trust policy that lets every identity of an OIDC provider
// assume the role: it has no condition on the token's subject, or one that any fits.
func (l *linter) webIdentitySubject(n *policytext.Node, s *statement) {
	if l.kind != KindTrust || s.deny || s.notPrincipal || !s.matchAction("sts:assumerolewithwebidentity") {
		return
	}
	p := element(n, "Principal")
	if p == nil || p.Kind != policytext.ObjectNode {
		return
	}
	each(p.Get("Federated"), func(v *policytext.Node) {
		_, provider, ok := strings.Cut(v.Text, ":oidc-provider/")
		if !ok || s.limitsSubject(strings.ToLower(provider)) {
			return
		}
		l.add(v, "POL054", SeverityWarning,
			"every identity of %s can assume the role: add a condition on %s:sub, such as the repository or the service account", provider, provider)
	})
}

// limitsSubject reports whether a condition selects subjects of the provider.
func (s *statement) limitsSubject(provider string) bool {
	for i := range s.conditions {
		c := &s.conditions[i]
		if c.lookup != provider+":sub" || c.op.negated || c.ifExists || c.set == forAll || len(c.want) == 0 {
			continue
		}
		if c.op.kind != opString && c.op.kind != opStringFold && c.op.kind != opStringLike {
			continue
		}
		open := false
		for _, value := range c.want {
			open = open || c.op.kind == opStringLike && anySubject(value)
		}
		if !open {
			return true
		}
	}
	return false
}

// anySubject reports whether a pattern fits all subjects, or all of a public provider.
func anySubject(pattern string) bool {
	switch strings.TrimRight(pattern, "*?") {
	case "", "repo:", "project_path:", "organization:", "system:serviceaccount:":
		return strings.ContainsAny(pattern, "*?")
	}
	return false
}
