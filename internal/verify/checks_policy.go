package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/collect"
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
	// The policies name role, bucket and key: without them there is nothing to evaluate.
	sound := []string{codeConfig, codeKeyName, codeBucket}
	row := func(code, title string, kinds ...string) check {
		needs := sound
		if code == codeStaticTrust {
			needs = nil
		}
		return check{
			code,
			report.CategoryPolicy,
			title,
			needs,
			func(_ context.Context, r *run) []finding { return r.policyFindings(code, kinds) },
		}
	}
	return []check{
		{codeStaticForm, report.CategoryPolicy, "the policies are well-formed", nil, checkForm},
		{codeStaticStale, report.CategoryPolicy, "no policy names a deleted principal", nil, checkStale},
		row(codeStaticTrust, "the trust policy lets the source assume the role", report.DocumentTrust),
		row(codeStaticWrite, "the role's policy allows the write", report.DocumentIdentity),
		row(codeStaticUse, "the role's policy allows the key", report.DocumentIdentity),
		row(codeStaticBucket, "the bucket policy lets the role write", report.DocumentBucketPolicy),
		row(codeStaticKey, "the key policy lets the role use the key", report.DocumentKeyPolicy),
		row(codeStaticDeny, "no statement denies the upload", report.DocumentIdentity, report.DocumentBucketPolicy, report.DocumentKeyPolicy),
		row(
			codeStaticGuard,
			"boundary, organization and endpoint policies allow the upload",
			report.DocumentBoundary,
			report.DocumentSCP,
			report.DocumentRCP,
			report.DocumentEndpointPolicy,
		),
		row(codeStaticPublic, "no public statement keeps other accounts out", report.DocumentBucketPolicy, report.DocumentPublicAccess),
		{codeStaticOwnership, report.CategoryPolicy, "the bucket's owner owns new objects", []string{codeBucket}, one(checkOwnership)},
		{
			codeStaticDefault,
			report.CategoryPolicy,
			"the bucket's default encryption works for other accounts",
			sound,
			one(checkDefaultEncryption),
		},
		{codeStaticKeyState, report.CategoryPolicy, "the key is enabled and can encrypt", []string{codeConfig, codeKeyName}, checkReadKey},
		{codeStaticPayment, report.CategoryPolicy, "the bucket's owner pays for its requests", []string{codeBucket}, one(checkPayment)},
	}
}

// policyRow returns the check that reports findings of a kind of document.
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

// policyFindings reports the prediction, after the calls.
func (r *run) policyFindings(row string, kinds []string) []finding {
	var out []finding
	for _, f := range r.predicted.blockers {
		if f.row != row {
			continue
		}
		if f.step == stepAbort {
			f.Result = report.Warn // uploads work; failed ones leave parts behind
		}
		switch confirmed := r.reportedBy(f); {
		case confirmed != "":
			f.Confirms = confirmed
			f.Confidence = report.Proven
		case r.passed[f.step]:
			f.Result, f.Code, f.Confidence = report.Warn, causeStaleCopy, report.Strong
			f.Detail = "AWS allows the request, and the copy of the document that was read does not: " +
				f.Detail + ". The copy is old, or of another document"
			f.Repair = report.Fix{}
			f.Fix = "Read the policy again. Uploads need no repair."
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
	return []finding{{Result: report.Pass, Detail: "by the documents that were read",
		Evidence: []report.Evidence{{Source: report.SourceStatic, Text: "every request of an upload, decided by the policy engine"}}}}
}

// reportedBy returns the check that has reported a finding; empty if none has.
func (r *run) reportedBy(f finding) string {
	for _, t := range r.reported {
		if t.finding.sameRepair(f) && (t.finding.Code == f.Code || t.finding.Statement != nil || f.change != "") {
			return t.check
		}
	}
	return ""
}

// notRead is an undecided check that no result depends on.
func (r *run) notRead(kind, account, artefact, arn, why string) finding {
	return finding{Code: causeUnread, Result: report.Unknown, Advisory: true, Account: account, Artefact: artefact, ArtefactARN: arn,
		Detail: fmt.Sprintf("the %s: %s", noun(kind), why),
		Repair: report.Fix{
			Kind:  report.FixConfig,
			Text:  "Supply it with `--policies DIR`, or run verify with a profile that may read it.",
			Owner: "the operator of this host",
		}}
}

// policyKind returns the kind of policy for the linter; false for settings.
func policyKind(kind string) (iampolicy.Kind, bool) {
	use, ok := map[string]iampolicy.Kind{
		report.DocumentTrust: iampolicy.KindTrust, report.DocumentIdentity: iampolicy.KindIdentity,
		report.DocumentSource: iampolicy.KindIdentity, report.DocumentBoundary: iampolicy.KindBoundary,
		report.DocumentSessionPolicy: iampolicy.KindSession, report.DocumentSCP: iampolicy.KindServiceControl,
		report.DocumentRCP: iampolicy.KindResourceCtrl, report.DocumentEndpointPolicy: iampolicy.KindVPCEndpoint,
		report.DocumentBucketPolicy: iampolicy.KindBucket, report.DocumentKeyPolicy: iampolicy.KindKey,
	}[kind]
	return use, ok
}

// checkForm reports documents that the engine cannot read, and elements that AWS does
// not accept in a new version of the document. It does not say that AWS refuses a
// document: most documents come from AWS.
func checkForm(_ context.Context, r *run) []finding {
	if r.docs.empty() {
		return []finding{r.notRead("policies", "", "policies", "", "none was read")}
	}
	var out []finding
	for _, document := range collect.Kinds() {
		kind, isPolicy := policyKind(document)
		for _, d := range r.docs.byKind[document] {
			if d.State != report.Known {
				continue
			}
			f := finding{
				Code: causeMalformed, Result: report.Fail, Account: r.accountOfKind(document).ID, Artefact: document,
				ArtefactARN: orText(d.ARN, r.target(document)), Name: d.Name, Confidence: report.Strong,
				Fix: "Correct the document. AWS validates it when it is saved again.",
			}
			if d.fault != nil {
				f.Detail = fmt.Sprintf("the %s cannot be read: %s", strings.TrimSpace(noun(document)+" "+d.Name), d.fault)
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
					g.Result, g.Fix = report.Warn, "Shorten the policy before its next change: a larger one exceeds the quota."
				}
				g.Statement = &report.Statement{Line: remark.Line, Column: remark.Column, Path: remark.Path}
				g.Detail = fmt.Sprintf("the %s, line %d: %s", strings.TrimSpace(noun(document)+" "+d.Name), remark.Line, remark.Message)
				if r.passed[stepCreate] && r.passed[stepPart] {
					g.Result = report.Warn // uploads work with the document as it is
				}
				out = append(out, g)
			}
		}
	}
	if len(out) > 0 {
		return out
	}
	return []finding{{Result: report.Pass, Detail: "every document that was read"}}
}

// checkStale finds deleted principals, which AWS shows by their ids.
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
				Statement: &report.Statement{
					Sid:    s.Sid,
					Index:  i,
					Line:   line,
					Column: column,
					Path:   fmt.Sprintf("Statement[%d].Principal", i),
					Text:   text,
				},
			}
			where := fmt.Sprintf("statement %s of %s", statementName(f.Statement), describeDocument(f))
			f.Detail = where + " names " + strings.Join(
				ids,
				", ",
			) + ", a deleted role or user. A new role with the same name has another id, and the statement does not apply to it"
			f.Repair = r.fixes.removeStatement(f, "Remove "+where+", or save it again with the ARN of the role.")
			if len(ids) < len(principalsOf(s)) {
				f.Repair = r.fixes.described(
					f.Repair,
					"Take "+strings.Join(
						ids,
						", ",
					)+" out of "+where+", or save it again with the ARN of the role. The statement names other principals as well.",
				)
			}
			if by := r.reportsStale(f.Code); by != "" {
				f.Result, f.Confirms = report.Fail, by
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
	return []finding{{Result: report.Pass, Detail: "every principal in the documents has an ARN"}}
}

// reportsStale returns the check that reports a deleted principal as the fault of a
// request; empty if none does. Its fix replaces the statement, so that a second fix that
// removes the statement contradicts it. The request need not have been made: the policies
// at hand predict it.
func (r *run) reportsStale(code string) string {
	for _, t := range r.reported {
		if t.finding.Code == code {
			return t.check
		}
	}
	for _, b := range r.predicted.blockers {
		if b.Code == code && !r.passed[b.step] {
			return b.row
		}
	}
	return ""
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
