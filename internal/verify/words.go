package verify

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// noun is what people call an artefact.
func noun(kind string) string {
	switch kind {
	case ArtefactTrust:
		return "trust policy"
	case ArtefactIdentity:
		return "identity policy"
	case ArtefactSourcePolicy:
		return "identity policy of the source"
	case ArtefactBoundary:
		return "permissions boundary"
	case ArtefactSessionPolicy:
		return "session policy"
	case ArtefactSCP:
		return "service control policy"
	case ArtefactRCP:
		return "resource control policy"
	case ArtefactEndpointPolicy:
		return "VPC endpoint policy"
	case ArtefactOwnership:
		return "object ownership of the bucket"
	case ArtefactEncryption:
		return "default encryption of the bucket"
	case ArtefactPublicAccess:
		return "public access block of the bucket"
	case ArtefactAccessLog:
		return "access logging of the bucket"
	case DocumentPayment:
		return "request payment of the bucket"
	case ArtefactTrail:
		return "event selectors of a trail"
	case DocumentEvent:
		return "events of the role's session"
	case DocumentKey:
		return "description of the key"
	case ArtefactKeyState:
		return "state of the key"
	case ArtefactUnseen:
		return "policy that was not seen"
	}
	return strings.ReplaceAll(kind, "-", " ")
}

// place names a document and its account: "the bucket policy in account 444455556666".
func place(f finding) string {
	out := "the " + noun(f.Artefact)
	if f.Name != "" && (f.Artefact == ArtefactIdentity || f.Artefact == ArtefactSourcePolicy) {
		out += " " + f.Name
	}
	switch f.Artefact {
	case ArtefactIdentity, ArtefactTrust, ArtefactBoundary:
		out += " of the role"
	case ArtefactSCP, ArtefactRCP:
		if f.Name != "" {
			out += " at " + f.Name
		}
	}
	if f.Account != "" {
		out += " in account " + f.Account
	}
	return out
}

// statementName names a statement: "BrokerdDeny (statement 3, line 20)".
func statementName(s *Statement) string {
	if s == nil {
		return ""
	}
	at := fmt.Sprintf("%d", s.Index+1)
	if s.Line > 0 {
		at += fmt.Sprintf(", line %d", s.Line)
	}
	if s.Sid == "" {
		return "number " + at
	}
	return fmt.Sprintf("%s (number %s)", s.Sid, at)
}

// text says what a near miss lacks.
func (n NearMiss) text() string {
	who := "statement " + statementName(&n.Statement)
	if n.Policy != "" {
		who += " of " + n.Policy
	}
	switch n.FailedOn {
	case string(iampolicy.ElementCondition):
		got := "the request carries none"
		if len(n.Got) > 0 {
			got = "the request has " + strings.Join(n.Got, ", ")
		}
		return fmt.Sprintf("%s wants %s %s %s, and %s", who, n.Key, n.Operator, strings.Join(n.Want, ", "), got)
	case string(iampolicy.ElementResource):
		return fmt.Sprintf("%s allows the action, on %s and not on %s", who, strings.Join(n.Want, ", "), strings.Join(n.Got, ", "))
	case string(iampolicy.ElementPrincipal):
		if n.Note != "" {
			return who + " " + n.Note
		}
		return fmt.Sprintf("%s is for %s", who, strings.Join(n.Want, ", "))
	}
	return ""
}

// callerOf names the caller as an administrator knows it.
func (p *probe) callerOf(sc iampolicy.Scenario) string {
	if strings.HasPrefix(sc.Request.Action, "sts:") {
		return principalARN(sc.Request.Principal)
	}
	return p.dest.Role
}
