package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/brokerd/brokerd/docs/checks"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// results are the marks and words of the results, in the order in which they are counted.
var results = []struct {
	result        report.Result
	mark, word    string
	count, plural string
}{
	{report.Fail, "✗", "failed", "failed", "failed"},
	{report.Unknown, "?", "undecided", "undecided", "undecided"},
	{report.Warn, "!", "warning", "warning", "warnings"},
	{report.Pass, "✓", "passed", "passed", "passed"},
	{report.Skip, "-", "not run", "not run", "not run"},
}

func markOf(r report.Result) string {
	for _, k := range results {
		if k.result == r {
			return k.mark
		}
	}
	return "?"
}

func wordOf(r report.Result) string {
	for _, k := range results {
		if k.result == r {
			return k.word
		}
	}
	return "undecided"
}

// worse returns the result that comes first in the order of results.
func worse(a, b report.Result) report.Result {
	for _, k := range results {
		if k.result == a || k.result == b {
			return k.result
		}
	}
	return report.Unknown
}

// stageOf names the line of the text form that a check belongs to.
func stageOf(c report.Check) string {
	if c.Category == report.CategoryConfig || c.Category == report.CategoryHost {
		return "configuration and host"
	}
	return clean(c.Category)
}

// counts counts checks by result: "1 failed, 12 passed, 3 not run". Undecided checks
// that no result depends on are not counted; see Advisory.
func counts(list []report.Check) string {
	n := make(map[report.Result]int)
	for _, c := range list {
		if !advisory(c) {
			n[c.Result]++
		}
	}
	var parts []string
	for _, k := range results {
		switch n[k.result] {
		case 0:
		case 1:
			parts = append(parts, "1 "+k.count)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n[k.result], k.plural))
		}
	}
	if len(parts) == 0 {
		return "no check was made"
	}
	return strings.Join(parts, ", ")
}

// artefacts names the kinds of artefacts.
var artefacts = map[string]string{
	report.ArtefactConfig: "configuration of brokerd", report.ArtefactNetwork: "network of this host",
	report.ArtefactClock: "clock of this host", report.ArtefactCredentials: "source credentials",
	report.ArtefactSourcePolicy: "policy of the source identity", report.ArtefactTrust: "trust policy",
	report.ArtefactIdentity: "identity policy", report.ArtefactBoundary: "permissions boundary", report.ArtefactSession: "role session",
	report.ArtefactSessionPolicy: "session policy", report.ArtefactSCP: "service control policy (SCP)",
	report.ArtefactRCP: "resource control policy (RCP)", report.ArtefactEndpointPolicy: "VPC endpoint policy",
	report.ArtefactBucket: "bucket", report.ArtefactBucketPolicy: "bucket policy", report.ArtefactPublicAccess: "public access block",
	report.ArtefactOwnership: "object ownership", report.ArtefactEncryption: "encryption",
	report.ArtefactIdentityBucket: "identity policy or bucket policy", report.ArtefactKeyPolicy: "key policy",
	report.ArtefactIdentityKey: "identity policy or key policy", report.ArtefactKeyState: "KMS key",
	report.ArtefactUnseen: "a policy that could not be read", report.ArtefactTrail: "CloudTrail trail",
	report.ArtefactAccessLog: "S3 access log", report.ArtefactService: "AWS service",
}

// artefactText names the artefact at fault, with its own name if it has one.
func artefactText(a report.Artefact) string {
	if a.Kind == "" {
		return ""
	}
	text, ok := artefacts[a.Kind]
	if !ok {
		text = a.Kind
	}
	if a.Name != "" {
		text += fmt.Sprintf(" %q", a.Name)
	}
	return text
}

// accountText formats an account: "444455556666 (B)".
func accountText(a report.Account) string {
	switch {
	case a.ID != "" && a.Side != "":
		return a.ID + " (" + string(a.Side) + ")"
	case a.ID != "":
		return a.ID
	case a.Side != "":
		return string(a.Side)
	}
	return ""
}

// Where names the account and the artefact at fault: "account 444455556666 (B), key policy".
func Where(c report.Check) string {
	var parts []string
	if account := accountText(c.Account); account != "" {
		parts = append(parts, "account "+account)
	}
	if a := artefactText(c.Artefact); a != "" {
		parts = append(parts, a)
	}
	return strings.Join(parts, ", ")
}

// verdict is the first line of a problem: the account, the policy and the finding.
func verdict(c report.Check) string {
	what := checks.Title(c.Code)
	if what == "" || c.Code == c.ID { // the check has no finding of its own
		switch first, _, _ := strings.Cut(c.Why, "; "); {
		case first != "" && len(first) <= shortWhy:
			what = strings.TrimSuffix(first, ".")
		case c.Result == report.Unknown:
			what = "undecided: " + c.Title
		default:
			what = "this does not hold: " + c.Title
		}
	}
	if at := Where(c); at != "" {
		return clean(upperFirst(at) + ": " + what)
	}
	return clean(upperFirst(what))
}

// shortWhy is the greatest length of a reason in the first line, in bytes.
const shortWhy = 90

func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// sentence makes a sentence of a finding: a capital and a full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if head, _, _ := strings.Cut(s, " "); !strings.ContainsAny(head, ":/.") { // keep an ARN, an action or a host name
		s = upperFirst(s)
	}
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "!") && !strings.HasSuffix(s, "?") {
		s += "."
	}
	return s
}

// statementName names a statement and its place: `statement "Sid" (number 2, line 12)`.
func statementName(s report.Statement) string {
	var at []string
	if s.Sid != "" {
		at = append(at, fmt.Sprintf("number %d", s.Index+1))
	}
	if s.Line > 0 {
		at = append(at, fmt.Sprintf("line %d", s.Line))
	}
	name := fmt.Sprintf("statement number %d", s.Index+1)
	if s.Sid != "" {
		name = fmt.Sprintf("statement %q", s.Sid)
	}
	if len(at) == 0 {
		return clean(name)
	}
	return clean(name + " (" + strings.Join(at, ", ") + ")")
}

// missText explains why a statement that almost allows the request does not.
func missText(m report.NearMiss) string {
	text := statementName(m.Statement)
	if m.Policy != "" {
		text += " of policy " + m.Policy
	}
	text += ": its " + m.FailedOn + " does not match"
	if m.Key != "" {
		text += " (" + strings.TrimSpace(m.Operator+" "+m.Key) + ")"
	}
	if len(m.Want) > 0 {
		text += "; it says " + strings.Join(m.Want, ", ")
	}
	if len(m.Got) > 0 {
		text += "; the request has " + strings.Join(m.Got, ", ")
	} else if m.FailedOn == "condition" {
		text += "; the request has no such key"
	}
	if m.Note != "" {
		text += ". " + upperFirst(m.Note)
	}
	return clean(text)
}

// evidenceText formats one piece of evidence in one line.
func evidenceText(e report.Evidence) string {
	var parts []string
	switch e.Source {
	case report.SourceStatic:
		parts = append(parts, "the policies")
	case report.SourceHost:
		parts = append(parts, "this host")
	default:
		parts = append(parts, "AWS")
	}
	if e.Operation != "" {
		parts[0] += ", " + e.Operation
	}
	answer := e.AWSCode
	if e.HTTPStatus != 0 {
		answer = strings.TrimSpace(fmt.Sprintf("%d %s", e.HTTPStatus, e.AWSCode))
	}
	for _, s := range []string{answer, e.AWSMessage, e.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	text := strings.Join(parts, ": ")
	var ids []string
	if e.RequestID != "" {
		ids = append(ids, "request id "+e.RequestID)
	}
	if e.HostID != "" {
		ids = append(ids, "host id "+e.HostID)
	}
	if len(ids) > 0 {
		text += " (" + strings.Join(ids, ", ") + ")"
	}
	return clean(text)
}

// whoText names the people who apply a fix.
func whoText(c report.Check) string {
	if c.Fix.Owner != "" {
		return clean(c.Fix.Owner)
	}
	if account := accountText(fixAccount(c)); account != "" {
		return "an administrator of account " + account
	}
	return "the operator of this host"
}

// summary counts the changes by account: "2 fixes needed: 1 in account 111122223333
// (A: yours), 1 in account 444455556666 (B: theirs)". It is empty when no check failed.
func summary(problems []Problem) string {
	var order []string
	n, total := make(map[string]int), 0
	for _, p := range problems {
		if p.Result != report.Fail || p.SameFixAs != 0 {
			continue
		}
		at := fixPlace(p.Check)
		if n[at] == 0 {
			order = append(order, at)
		}
		n[at]++
		total++
	}
	if total == 0 {
		return ""
	}
	var parts []string
	for _, at := range order {
		parts = append(parts, fmt.Sprintf("%d %s", n[at], at))
	}
	noun := "fixes"
	if total == 1 {
		noun = "fix"
	}
	return fmt.Sprintf("%d %s needed: %s", total, noun, strings.Join(parts, ", "))
}

// fixPlace names the account or host in which a problem is repaired.
func fixPlace(c report.Check) string {
	switch c.Artefact.Kind {
	case report.ArtefactConfig, report.ArtefactNetwork, report.ArtefactClock, report.ArtefactCredentials, report.ArtefactSession:
		return "on this host"
	case report.ArtefactIdentityBucket, report.ArtefactIdentityKey, report.ArtefactUnseen:
		return "in one of the two accounts"
	}
	switch account := fixAccount(c); account.Side {
	case report.SideA:
		return "in account " + strings.TrimSpace(account.ID+" (A: yours)")
	case report.SideB:
		return "in account " + strings.TrimSpace(account.ID+" (B: theirs)")
	}
	return "in an unknown account"
}
