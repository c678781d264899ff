package verify

import (
	"fmt"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// noun returns the name of a kind of artefact.
func noun(kind string) string {
	switch kind {
	case report.ArtefactTrust:
		return "trust policy"
	case report.ArtefactIdentity:
		return "identity policy"
	case report.ArtefactSourcePolicy:
		return "identity policy of the source"
	case report.ArtefactBoundary:
		return "permissions boundary"
	case report.ArtefactSessionPolicy:
		return "session policy"
	case report.ArtefactSCP:
		return "service control policy"
	case report.ArtefactRCP:
		return "resource control policy"
	case report.ArtefactEndpointPolicy:
		return "VPC endpoint policy"
	case report.ArtefactOwnership:
		return "object ownership of the bucket"
	case report.ArtefactEncryption:
		return "default encryption of the bucket"
	case report.ArtefactPublicAccess:
		return "public access block of the bucket"
	case report.ArtefactAccessLog:
		return "access logging of the bucket"
	case report.DocumentLogTarget:
		return "bucket that receives the access logs"
	case report.DocumentPayment:
		return "request payment of the bucket"
	case report.ArtefactTrail:
		return "event selectors of a trail"
	case report.DocumentEvent:
		return "events of the role's session"
	case report.DocumentKey:
		return "description of the key"
	case report.ArtefactKeyState:
		return "state of the key"
	case report.ArtefactUnseen:
		return "policy that was not read"
	}
	return strings.ReplaceAll(kind, "-", " ")
}

// describeDocument names a document and its account: "the bucket policy in account 444455556666".
func describeDocument(f finding) string {
	out := "the " + noun(f.Artefact)
	if f.Name != "" && (f.Artefact == report.ArtefactIdentity || f.Artefact == report.ArtefactSourcePolicy) {
		out += " " + f.Name
	}
	switch f.Artefact {
	case report.ArtefactIdentity, report.ArtefactTrust, report.ArtefactBoundary:
		out += " of the role"
	case report.ArtefactSCP, report.ArtefactRCP:
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
func statementName(s *report.Statement) string {
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

// missText explains why a near miss does not allow the request.
func missText(n report.NearMiss) string {
	who := "statement " + statementName(&n.Statement)
	if n.Policy != "" {
		who += " of " + n.Policy
	}
	switch n.FailedOn {
	case string(iampolicy.ElementCondition):
		got := "the request does not carry it"
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
