package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/report"
)

const (
	codeStaticForm      = "BRK-POL-101"
	codeStaticStale     = "BRK-POL-102"
	codeStaticTrust     = "BRK-POL-103"
	codeStaticWrite     = "BRK-POL-104"
	codeStaticUse       = "BRK-POL-105"
	codeStaticBucket    = "BRK-POL-106"
	codeStaticKey       = "BRK-POL-107"
	codeStaticDeny      = "BRK-POL-108"
	codeStaticGuard     = "BRK-POL-109"
	codeStaticPublic    = "BRK-POL-110"
	codeStaticOwnership = "BRK-POL-111"
	codeStaticDefault   = "BRK-POL-112"
	codeStaticKeyState  = "BRK-POL-113"
	codeStaticPayment   = "BRK-POL-114"
)

func policyChecks() []check {
	// Without role, bucket and key as they should be, the policies are about something else.
	sound := []string{codeConfig, codeKeyName, codeBucket}
	row := func(code, title string, kinds ...string) check {
		needs := sound
		if code == codeStaticTrust {
			needs = nil
		}
		return check{code, report.CategoryPolicy, title, needs, func(_ context.Context, r *run) []finding { return r.policyFindings(code, kinds) }}
	}
	return []check{
		{codeStaticForm, report.CategoryPolicy, "the policies are well-formed", nil, checkForm},
		{codeStaticStale, report.CategoryPolicy, "no policy names somebody who was deleted", nil, checkStale},
		row(codeStaticTrust, "the trust policy lets the source assume the role", report.DocumentTrust),
		row(codeStaticWrite, "the role's policy allows the write", report.DocumentIdentity),
		row(codeStaticUse, "the role's policy allows the key", report.DocumentIdentity),
		row(codeStaticBucket, "the bucket policy lets the role write", report.DocumentBucketPolicy),
		row(codeStaticKey, "the key policy lets the role use the key", report.DocumentKeyPolicy),
		row(codeStaticDeny, "no statement denies the upload", report.DocumentIdentity, report.DocumentBucketPolicy, report.DocumentKeyPolicy),
		row(codeStaticGuard, "what stands around the accounts allows it", report.DocumentBoundary, report.DocumentSCP, report.DocumentRCP, report.DocumentEndpointPolicy),
		row(codeStaticPublic, "no public statement locks other accounts out", report.DocumentBucketPolicy, report.DocumentPublicAccess),
		{codeStaticOwnership, report.CategoryPolicy, "the bucket's owner owns what is written", []string{codeBucket}, one(checkOwnership)},
		{codeStaticDefault, report.CategoryPolicy, "the bucket's default encryption works for other accounts", sound, one(checkDefaultEncryption)},
		{codeStaticKeyState, report.CategoryPolicy, "the key is enabled, and of the right kind", []string{codeConfig, codeKeyName}, checkReadKey},
		{codeStaticPayment, report.CategoryPolicy, "the bucket's owner pays for its requests", []string{codeBucket}, one(checkPayment)},
	}
}

// policyRow is the check that tells what a layer lacks.
func policyRow(kind, action string) string {
	switch kind {
	case report.ArtefactTrust, report.ArtefactSourcePolicy:
		return codeStaticTrust
	case report.ArtefactIdentity:
		if strings.HasPrefix(action, "kms:") {
			return codeStaticUse
		}
		return codeStaticWrite
	case report.ArtefactBucketPolicy:
		return codeStaticBucket
	case report.ArtefactKeyPolicy:
		return codeStaticKey
	}
	return codeStaticGuard
}

// policyFindings tells what the documents say, after AWS was asked.
func (r *run) policyFindings(row string, kinds []string) []finding {
	var out []finding
	for _, f := range r.predicted.blockers {
		if f.row != row {
			continue
		}
		if f.step == stepAbort {
			f.Result = report.Warn // uploads work without, and leave something behind when they fail
		}
		switch confirmed := r.reportedBy(f); {
		case confirmed != "":
			f.Confirms = confirmed
			f.Confidence = report.Proven
		case r.passed[f.step]:
			f.Result, f.Code, f.Confidence = report.Warn, causeStaleCopy, report.Strong
			f.Detail = "AWS allowed it a moment ago, and by the copy that was read it should not: " + f.Detail + ". The copy is old, or another document than AWS's"
			f.Repair = report.Fix{}
			f.Fix = "Read the policy again. Nothing has to be repaired for uploads."
		}
		out = append(out, f)
	}
	if len(out) > 0 {
		return out
	}
	for _, f := range r.predicted.suspects {
		if f.row != row || r.passed[f.step] {
			continue
		}
		f.Result = report.Unknown
		if f.Confirms = r.reportedBy(f); f.Confirms != "" {
			f.Result = report.Fail
		} else {
			f.Advisory = true
		}
		out = append(out, f)
	}
	if len(out) > 0 {
		return out
	}
	for _, kind := range kinds {
		if state, why := r.docs.state(kind); state == report.Unreadable {
			account := r.accountOfKind(kind)
			return []finding{r.notRead(kind, account.ID, kind, r.target(kind), why)}
		}
	}
	if r.dest.Compatible || r.dest.Role == "" {
		return []finding{r.notRead(kinds[0], "", kinds[0], "", "an S3-compatible store has no such document")}
	}
	return []finding{{Result: report.Pass, Detail: "by the documents that were read", Evidence: []report.Evidence{{Source: report.SourceStatic, Text: "every request of an upload, decided by the policy engine"}}}}
}

// reportedBy returns the check that has told a finding already.
func (r *run) reportedBy(f finding) string {
	for _, t := range r.reported {
		if t.finding.sameRepair(f) && (t.finding.Code == f.Code || t.finding.Statement != nil || f.change != "") {
			return t.check
		}
	}
	return ""
}

// notRead is never a pass, and never a reason to call the whole unknown.
func (r *run) notRead(kind, account, artefact, arn, why string) finding {
	return finding{Code: causeUnread, Result: report.Unknown, Advisory: true, Account: account, Artefact: artefact, ArtefactARN: arn,
		Detail: fmt.Sprintf("the %s: %s", noun(kind), why),
		Repair: report.Fix{Kind: report.FixConfig, Text: "Give it by `--policies DIR`, or run verify with a profile that may read it.", Owner: "whoever runs verify"}}
}

// policyKind is the use that a kind of policy is linted for; false for settings.
func policyKind(kind string) (iampolicy.Kind, bool) {
	use, ok := map[string]iampolicy.Kind{
		report.DocumentTrust: iampolicy.KindTrust, report.DocumentIdentity: iampolicy.KindIdentity, report.DocumentSource: iampolicy.KindIdentity, report.DocumentBoundary: iampolicy.KindBoundary,
		report.DocumentSessionPolicy: iampolicy.KindSession, report.DocumentSCP: iampolicy.KindServiceControl, report.DocumentRCP: iampolicy.KindResourceCtrl,
		report.DocumentEndpointPolicy: iampolicy.KindVPCEndpoint, report.DocumentBucketPolicy: iampolicy.KindBucket, report.DocumentKeyPolicy: iampolicy.KindKey,
	}[kind]
	return use, ok
}

// checkForm reports what AWS refuses to store, and what it is about to.
func checkForm(_ context.Context, r *run) []finding {
	if r.docs.empty() {
		return []finding{r.notRead("policies", "", "policies", "", "none was read")}
	}
	var out []finding
	for _, l := range layout {
		kind, isPolicy := policyKind(l.kind)
		for _, d := range r.docs.byKind[l.kind] {
			if d.State != report.Known {
				continue
			}
			f := finding{Code: causeMalformed, Result: report.Fail, Account: r.accountOfKind(l.kind).ID, Artefact: l.kind, ArtefactARN: orText(d.ARN, r.target(l.kind)), Name: d.Name, Confidence: report.Strong,
				Fix: "Correct the document: it does not follow the grammar of AWS policies."}
			if d.fault != nil {
				f.Detail = fmt.Sprintf("the %s %s: %s", noun(l.kind), d.Name, d.fault)
				out = append(out, f)
				continue
			}
			if !isPolicy {
				continue
			}
			for _, remark := range d.policy.Lint(kind) {
				size := remark.Code == "POL002"
				if remark.Severity != iampolicy.SeverityError && !size {
					continue
				}
				g := f
				if size {
					g.Result, g.Fix = report.Warn, "Shorten the policy, or have the quota raised."
				}
				g.Statement = &report.Statement{Line: remark.Line, Column: remark.Column, Path: remark.Path}
				g.Detail = fmt.Sprintf("the %s %s, line %d: %s", noun(l.kind), d.Name, remark.Line, remark.Message)
				out = append(out, g)
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	return []finding{{Result: report.Pass, Detail: "every document that was read"}}
}

// checkStale finds principals that AWS shows by their id, because they are gone.
func checkStale(_ context.Context, r *run) []finding {
	var out []finding
	read := false
	for _, kind := range []string{report.DocumentTrust, report.DocumentBucketPolicy, report.DocumentKeyPolicy} {
		doc := r.docs.one(kind)
		read = read || r.docs.read(kind)
		for i := range doc.Len() {
			text, line, column := doc.StatementText(i)
			s := parseStatement(text)
			ids := slices.DeleteFunc(principalsOf(s), func(v string) bool { return !isUniqueID(v) })
			if len(ids) == 0 {
				continue
			}
			account := r.accountOfKind(kind)
			f := finding{
				Code: staleCode(kind), Result: report.Warn, Account: account.ID, Artefact: kind, ArtefactARN: r.target(kind), Confidence: report.Strong,
				Statement: &report.Statement{Sid: s.Sid, Index: i, Line: line, Column: column, Path: fmt.Sprintf("Statement[%d].Principal", i), Text: text},
			}
			f.Detail = fmt.Sprintf("statement %s of %s names %s: a role or user that was deleted. One made again under its name is another one, and the statement does not meet it", statementName(f.Statement), describeDocument(f), strings.Join(ids, ", "))
			f.Repair = r.fixes.removeStatement(f, fmt.Sprintf("Remove statement %s of %s, or save it again with the ARN of the role.", statementName(f.Statement), describeDocument(f)))
			for _, t := range r.reported {
				if t.finding.Code == f.Code {
					f.Result, f.Confirms = report.Fail, t.check
				}
			}
			out = append(out, f)
		}
	}
	switch {
	case len(out) > 0:
		return out
	case !read:
		return []finding{r.notRead(report.DocumentBucketPolicy, "", "policies", "", "none that names principals was read")}
	}
	return []finding{{Result: report.Pass, Detail: "every principal in the documents that were read is there by its ARN"}}
}

func staleCode(kind string) string {
	switch kind {
	case report.DocumentTrust:
		return causeTrustStale
	case report.DocumentKeyPolicy:
		return causeKeyStale
	}
	return causeBucketStale
}
