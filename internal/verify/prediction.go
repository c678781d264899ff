package verify

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// prediction is the engine's verdict on every request of a delivery, from the
// documents alone. It makes no call, and reads no clock.
type prediction struct {
	*arrangement
	docs  *documents
	fixes *fixes

	blockers []finding            // layers that certainly refuse
	suspects []finding            // statements that may refuse, depending on an unknown key
	decided  map[stepID][]decided // every request with its result
}

type decided struct {
	scenario iampolicy.Scenario
	result   iampolicy.Result
}

// decide evaluates every request with the present knowledge. Findings that one change
// repairs are one finding: a key policy without kms:GenerateDataKey lacks kms:Decrypt by
// the same statement.
func (p *prediction) decide() {
	p.blockers, p.suspects, p.decided = nil, nil, make(map[stepID][]decided)
	if state, _ := p.docs.state(report.DocumentTrust); state == report.Absent && p.dest.Role != "" {
		// No other document can be judged without the role.
		p.blockers = []finding{noRole(p.arrangement, finding{Result: report.Fail, Confidence: report.Strong, row: codeStaticTrust})}
		return
	}
	for _, q := range p.questions() {
		for _, sc := range q.scenarios {
			r := iampolicy.Evaluate(sc)
			p.decided[q.step] = append(p.decided[q.step], decided{sc, r})
			p.blockers = p.append(p.blockers, sc, p.blockersOf(q, sc, r))
			p.suspects = p.append(p.suspects, sc, p.suspectsOf(q, sc, r))
		}
	}
}

// append adds the findings of a request that no earlier finding covers. Their fixes
// are proven, or become descriptions.
func (p *prediction) append(list []finding, sc iampolicy.Scenario, found []finding) []finding {
	fresh := slices.DeleteFunc(slices.Clone(found), func(f finding) bool { return slices.ContainsFunc(list, f.sameRepair) })
	if len(fresh) > 0 {
		proven := p.prove(sc, found)
		for i := range found {
			if !slices.ContainsFunc(list, found[i].sameRepair) {
				list = append(list, proven[i])
			}
		}
	}
	return list
}

// sameRepair reports whether one change repairs both findings.
func (f finding) sameRepair(other finding) bool {
	if f.Artefact != other.Artefact || f.Name != other.Name {
		return false
	}
	if f.Statement != nil || other.Statement != nil {
		return f.Statement != nil && other.Statement != nil && f.Statement.Index == other.Statement.Index &&
			f.Statement.Line == other.Statement.Line
	}
	return f.changeID() == other.changeID()
}

// changeID identifies the change of a finding, also after it became a description.
func (f finding) changeID() string {
	if f.change != "" {
		return f.change
	}
	return string(f.Repair.Kind) + " " + string(f.Repair.Patch)
}

// findingsFor returns the findings of some steps.
func findingsFor(list []finding, steps ...stepID) []finding {
	var out []finding
	for _, f := range list {
		if slices.Contains(steps, f.step) {
			out = append(out, f)
		}
	}
	return out
}

// blockersOf returns a finding for each layer that certainly refuses a request. In a
// layer without any Allow statement, the missing Allow is the fault: without its Deny
// statements the layer would allow as little.
func (p *prediction) blockersOf(q question, sc iampolicy.Scenario, r iampolicy.Result) []finding {
	var out []finding
	for i := range r.Layers {
		l := &r.Layers[i]
		if !slices.Contains(r.BlockedBy, l.Layer) || l.Decision == iampolicy.Allowed || l.Decision == iampolicy.Unknown {
			continue
		}
		found := false
		for n := range l.Statements {
			if mustAllow(l.Layer) && !slices.ContainsFunc(l.Statements, isAllow) {
				break
			}
			if s := &l.Statements[n]; s.Effect == "Deny" && s.Outcome == iampolicy.Matched {
				out = append(out, p.denial(q, sc, l, n, report.Strong))
				found = true
			}
		}
		if !found {
			out = append(out, p.lack(q, sc, l))
		}
	}
	return out
}

// mustAllow reports whether a layer that exists refuses everything it does not allow,
// although another layer holds the grant.
func mustAllow(l iampolicy.Layer) bool {
	switch l {
	case iampolicy.LayerBoundary, iampolicy.LayerSession, iampolicy.LayerVPCEndpoint, iampolicy.LayerSCP:
		return true
	}
	return false
}

func isAllow(s iampolicy.StatementResult) bool { return s.Effect == "Allow" }

// suspectsOf returns the statements that may refuse or may not allow a request,
// depending on a condition key that is not known here.
func (p *prediction) suspectsOf(q question, sc iampolicy.Scenario, r iampolicy.Result) []finding {
	var out []finding
	for i := range r.Layers {
		l := &r.Layers[i]
		if l.Decision != iampolicy.Unknown {
			continue
		}
		allows := false
		for n := range l.Statements {
			s := &l.Statements[n]
			allows = allows || s.Effect == "Allow" && s.Outcome == iampolicy.Matched
			if s.Effect == "Deny" && s.Outcome == iampolicy.UnknownOutcome {
				out = append(out, p.denial(q, sc, l, n, report.Weak))
			}
		}
		if allows || l.Reason == "not supplied" {
			continue
		}
		for n := range l.Statements {
			if s := &l.Statements[n]; s.Effect == "Allow" && s.Outcome == iampolicy.UnknownOutcome {
				f := p.lack(q, sc, l)
				f.Confidence, f.NearMisses = report.Weak, []report.NearMiss{p.nearMiss(sc, l, n)}
				f.Code = lackCode(f.Artefact, sc.Request.Action, f.NearMisses)
				f.Detail += fmt.Sprintf("; one statement would, if %s had the right value, which is not known here", s.Key)
				out = append(out, f)
				break
			}
		}
	}
	return out
}

// denial is a finding about one Deny statement.
func (p *prediction) denial(q question, sc iampolicy.Scenario, l *iampolicy.LayerResult, n int, sure report.Confidence) finding {
	s := &l.Statements[n]
	f := p.about(q, sc, l)
	f.Confidence = sure
	f.Statement = p.statementAt(sc, l, n)
	if s.Policy != "" {
		f.Name = s.Policy
		for _, d := range p.docs.byKind[f.Artefact] {
			if d.Name == s.Policy && strings.Contains(d.ARN, ":policy/") {
				f.ArtefactARN = d.ARN
			}
		}
	}
	parts := parseStatement(f.Statement.Text)
	f.Code = denyCode(f.Artefact, sc.Request.Action, parts)
	f.Detail = fmt.Sprintf("statement %s of %s refuses %s", statementName(f.Statement), describeDocument(f), sc.Request.Action)
	if keys := parts.keys(); len(keys) > 0 {
		f.Detail += " by its condition on " + strings.Join(keys, ", ")
	}
	if sure == report.Weak {
		f.Detail += fmt.Sprintf(", unless %s matches (%s %s); its value is not known here", s.Key, s.Operator, strings.Join(s.Want, ", "))
	}
	f.Detail += "; no Allow overrides a Deny"
	if note := forwardedNote(sc.Request.Action, parts); note != "" {
		f.Detail += ". " + note
	}
	f.Repair = p.fixes.liftDeny(f, sc, parts)
	return f
}

// lack is a finding about a layer without an Allow for the request.
func (p *prediction) lack(q question, sc iampolicy.Scenario, l *iampolicy.LayerResult) finding {
	f := p.about(q, sc, l)
	f.Confidence = report.Strong
	if l.Layer == iampolicy.LayerPublicAccess {
		return p.publicStatement(f, l)
	}
	near := slices.Clone(l.NearMisses)
	slices.SortStableFunc(near, func(a, b int) int { return distance(&l.Statements[a]) - distance(&l.Statements[b]) })
	for _, n := range near[:min(3, len(near))] {
		f.NearMisses = append(f.NearMisses, p.nearMiss(sc, l, n))
	}
	f.Code = lackCode(f.Artefact, sc.Request.Action, f.NearMisses)
	f.Detail = fmt.Sprintf("%s does not allow %s on %s", describeDocument(f), sc.Request.Action, sc.Request.Resource)
	switch l.Layer {
	case iampolicy.LayerIdentity:
	case iampolicy.LayerResource:
		f.Detail = fmt.Sprintf("%s does not allow %s for %s", describeDocument(f), sc.Request.Action, p.callerOf(sc))
		if l.Reason == "no policy" {
			f.Detail = fmt.Sprintf("account %s has no %s, so no other account may use %s", f.Account, noun(f.Artefact), sc.Request.Action)
		}
	}
	if len(f.NearMisses) > 0 {
		if text := missText(f.NearMisses[0]); text != "" {
			f.Detail += ". Nearest: " + text
		}
	}
	if note := p.lackNote(sc, f); note != "" {
		f.Detail += ". " + note
	}
	f.Repair = p.fixes.allow(f, sc)
	return f
}

// distance orders near misses: by the number of elements that do not match, then by
// the element. A statement that fails by a condition, or by the id of a deleted role,
// was meant for this request; a statement for another principal was not.
func distance(s *iampolicy.StatementResult) int {
	rank := map[iampolicy.Element]int{iampolicy.ElementCondition: 0, iampolicy.ElementResource: 1, iampolicy.ElementAction: 2,
		iampolicy.ElementPrincipal: 3}[s.FailedOn]
	if s.FailedOn == iampolicy.ElementPrincipal && slices.ContainsFunc(s.Want, isUniqueID) {
		rank = 0
	}
	return 4*s.Distance + rank
}

// about starts the finding of a layer: its artefact and account.
func (p *prediction) about(q question, sc iampolicy.Scenario, l *iampolicy.LayerResult) finding {
	service, _, _ := strings.Cut(sc.Request.Action, ":")
	f := finding{Result: report.Fail, Account: l.Account, step: q.step, level: l.Level}
	switch l.Layer {
	case iampolicy.LayerIdentity:
		f.Artefact, f.ArtefactARN = report.ArtefactIdentity, p.dest.Role
		if service == "sts" {
			f.Artefact, f.ArtefactARN = report.ArtefactSourcePolicy, awsarn.Role(p.source)
		}
	case iampolicy.LayerBoundary:
		f.Artefact, f.ArtefactARN = report.ArtefactBoundary, p.dest.Role
		if list := p.docs.byKind[report.DocumentBoundary]; len(list) == 1 {
			f.ArtefactARN, f.Name = orText(list[0].ARN, f.ArtefactARN), list[0].Name
		}
	case iampolicy.LayerSession:
		f.Artefact, f.ArtefactARN = report.ArtefactSessionPolicy, p.dest.Role
	case iampolicy.LayerSCP:
		f.Artefact, f.Name, f.Account = report.ArtefactSCP, l.Level, p.accountA()
	case iampolicy.LayerRCP:
		f.Artefact, f.Name, f.Account = report.ArtefactRCP, l.Level, p.accountB()
	case iampolicy.LayerVPCEndpoint:
		f.Artefact, f.Account = report.ArtefactEndpointPolicy, p.accountA()
	case iampolicy.LayerPublicAccess:
		f.Artefact, f.ArtefactARN, f.Account = report.ArtefactBucketPolicy, p.bucketARN(), p.accountB()
	default:
		switch service {
		case "sts":
			f.Artefact, f.ArtefactARN, f.Account = report.ArtefactTrust, p.dest.Role, p.accountA()
		case "kms":
			f.Artefact, f.ArtefactARN, f.Account = report.ArtefactKeyPolicy, p.dest.KMSKey, awsarn.Account(p.dest.KMSKey)
		default:
			f.Artefact, f.ArtefactARN, f.Account = report.ArtefactBucketPolicy, p.bucketARN(), p.accountB()
		}
	}
	f.row = policyRow(f.Artefact, sc.Request.Action)
	f.Evidence = []report.Evidence{
		{
			Source:    report.SourceStatic,
			Operation: sc.Request.Action,
			Text: fmt.Sprintf(
				"by the documents, %s is %s in the layer %q",
				sc.Request.Action,
				strings.ReplaceAll(string(l.Decision), "_", " "),
				l.Layer,
			),
		},
	}
	f.Assumptions = p.docs.unread()
	return f
}

// publicStatement reports a public statement in a bucket with RestrictPublicBuckets:
// S3 then refuses every caller from another account.
func (p *prediction) publicStatement(f finding, l *iampolicy.LayerResult) finding {
	f.Code, f.row = causePublicAccess, codeStaticPublic
	doc := p.docs.one(report.DocumentBucketPolicy)
	for i := range doc.Len() {
		text, line, column := doc.StatementText(i)
		alone, err := iampolicy.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + text + `]}`))
		if err == nil && alone.Public() {
			f.Statement = &report.Statement{
				Sid:    parseStatement(text).Sid,
				Index:  i,
				Line:   line,
				Column: column,
				Path:   fmt.Sprintf("Statement[%d]", i),
				Text:   text,
			}
			break
		}
	}
	if f.Statement == nil {
		f.Code, f.Artefact = causeACLRefused, report.ArtefactPublicAccess
		f.Detail = "the destination sends the ACL " + p.dest.ACL + ", and the bucket's public access block refuses public ACLs"
		f.Fix = "Take `acl` out of the destination."
		return f
	}
	where := fmt.Sprintf("statement %s of %s", statementName(f.Statement), describeDocument(f))
	f.Detail = where + " is public, and RestrictPublicBuckets is on. S3 then refuses every caller from another account, " +
		"also a caller that another statement allows"
	parts := parseStatement(f.Statement.Text)
	parts.require("StringEquals", "aws:PrincipalAccount", p.accountB())
	patch, err := json.MarshalIndent(parts, "", "  ")
	if err != nil {
		return f
	}
	f.Repair = p.fixes.replaceStatement(f, f.Statement, patch,
		"Limit "+where+" to the bucket's own account: with the public access block, no principal of another account can use it. "+
			"AWS services that read by it for other accounts lose that access. Replace it by this one.")
	return f
}

// statementAt returns the place and the text of the n-th statement of a layer.
func (p *prediction) statementAt(sc iampolicy.Scenario, l *iampolicy.LayerResult, n int) *report.Statement {
	t := &l.Statements[n]
	out := &report.Statement{Sid: t.Sid, Index: t.Index, Line: t.Line, Column: t.Column, Path: fmt.Sprintf("Statement[%d]", t.Index)}
	for _, d := range documentsOf(sc, l) {
		if n < d.Len() {
			out.Text, _, _ = d.StatementText(n)
			break
		}
		n -= d.Len()
	}
	return out
}

// documentsOf lists the documents of a layer in the order of evaluation.
func documentsOf(sc iampolicy.Scenario, l *iampolicy.LayerResult) []*iampolicy.Document {
	var list []iampolicy.NamedPolicy
	levels := sc.Policies.ServiceControl
	switch l.Layer {
	case iampolicy.LayerIdentity:
		list = sc.Policies.Identity
	case iampolicy.LayerBoundary:
		list = sc.Policies.Boundary
	case iampolicy.LayerSession:
		list = sc.Policies.Session
	case iampolicy.LayerVPCEndpoint:
		list = sc.Policies.VPCEndpoint
	case iampolicy.LayerResource:
		return []*iampolicy.Document{sc.Policies.Resource}
	case iampolicy.LayerRCP:
		levels = sc.Policies.ResourceControl
		fallthrough
	case iampolicy.LayerSCP:
		for i := range levels {
			if levels[i].Level == l.Level {
				list = levels[i].Policies
				break
			}
		}
	}
	var out []*iampolicy.Document
	for i := range list {
		out = append(out, list[i].Policy)
	}
	return out
}

func (p *prediction) nearMiss(sc iampolicy.Scenario, l *iampolicy.LayerResult, n int) report.NearMiss {
	t := &l.Statements[n]
	return report.NearMiss{
		Policy: t.Policy, Statement: *p.statementAt(sc, l, n), FailedOn: string(t.FailedOn), Operator: t.Operator, Key: t.Key,
		Want: slices.Clone(t.Want), Got: slices.Clone(t.Got), Note: t.Note,
	}
}
