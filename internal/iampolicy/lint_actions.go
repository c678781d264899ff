package iampolicy

import (
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// actionExists reports actions of s3, kms, sts and iam that do not exist. AWS stores such
// a policy, and the action never matches; under NotAction it excludes nothing.
func (l *linter) actionExists(n *policytext.Node, s *statement) {
	each(element(n, "Action"), func(v *policytext.Node) {
		if v.Text == "*" || strings.ContainsAny(v.Text, " ,\t\n") {
			return
		}
		better, unknown := knownActions().unknown(v.Text)
		if !unknown {
			return
		}
		text := "%q is no action of AWS: it never matches"
		if s.notAction {
			text = "%q is no action of AWS: NotAction excludes nothing with it"
		}
		if better != "" {
			l.add(v, "POL052", SeverityWarning, text+"; write %q", v.Text, better)
			return
		}
		l.add(v, "POL052", SeverityWarning, text, v.Text)
	})
}
