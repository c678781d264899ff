package verify

import (
	"encoding/json"

	"github.com/brokerd/brokerd/internal/verify/report"
)

// finding is the result of a check in the form that checks write; record turns it
// into a report.Check.
type finding struct {
	Code        string // empty: the check's own
	Result      report.Result
	Detail      string
	Account     string
	Artefact    string
	ArtefactARN string
	Name        string
	Statement   *report.Statement
	NearMisses  []report.NearMiss
	Evidence    []report.Evidence
	Confidence  report.Confidence
	Assumptions []string
	Advisory    bool
	Confirms    string

	Fix          string     // what to do, when there is nothing more to a repair
	FixStatement string     // the Allow statement that is missing
	Repair       report.Fix // the whole of it

	AWSCode    string
	AWSMessage string
	RequestID  string
	HostID     string
	HTTPStatus int
	Operation  string

	step   stepID // the call that it explains
	row    string // the check of the policies that reports it
	level  string // of an SCP or RCP
	change string // identifies the change; see changeID
}

func (r *run) record(c check, f finding) report.Check {
	out := report.Check{
		ID: c.code, Code: f.Code, Category: c.category, Title: c.title, Result: f.Result, Why: f.Detail,
		Evidence: f.Evidence, Assumptions: f.Assumptions, Advisory: f.Advisory, Confirms: f.Confirms,
	}
	if out.Code == "" {
		out.Code = c.code
	}
	out.Docs = report.DocsURL(out.Code)
	if f.AWSCode != "" || f.RequestID != "" {
		out.Evidence = append([]report.Evidence{{
			Source: report.SourceProbe, Operation: f.Operation, HTTPStatus: f.HTTPStatus, RequestID: f.RequestID, HostID: f.HostID,
			AWSCode: f.AWSCode, AWSMessage: f.AWSMessage,
		}}, out.Evidence...)
	}
	if f.Result == report.Pass || f.Result == report.Skip {
		return out
	}
	out.Account = r.account(f.Account)
	out.Artefact = report.Artefact{Kind: f.Artefact, ARN: f.ArtefactARN, Name: f.Name, Statement: f.Statement}
	out.NearMisses, out.Confidence = f.NearMisses, f.Confidence
	if out.Confidence == "" {
		out.Confidence = report.Strong
		if f.AWSCode != "" {
			out.Confidence = report.Proven
		}
	}
	out.Fix = f.Repair
	if out.Fix.IsZero() && f.FixStatement != "" {
		out.Fix = r.fixes.addStatement(f.Artefact, "", json.RawMessage(f.FixStatement), f.Fix)
	}
	if out.Confidence == report.Weak && f.Repair.IsZero() && len(out.Fix.Patch) > 0 {
		// A guess: the document was not read, so the effect of the change is not known.
		out.Fix.Command = ""
		out.Fix.Text += " Compare the document with the statement first: this is a guess, because the document was not read."
	}
	if out.Fix.IsZero() && f.Fix != "" {
		out.Fix = report.Fix{Kind: report.FixConfig, Text: f.Fix, Target: f.ArtefactARN, Account: out.Account}
		out.Fix.Owner = r.owner(f.Artefact, out.Account)
		if settingKinds[f.Artefact] {
			out.Fix.Kind = report.FixSetting
		}
	}
	return out
}

// blame names the cause, and the artefact at fault in its account.
func (f *finding) blame(code, account, artefact, arn string) {
	f.Code, f.Account, f.Artefact, f.ArtefactARN = code, account, artefact, arn
}

// settingKinds are the artefacts that are changed in an account.
var settingKinds = map[string]bool{
	report.ArtefactBucket: true, report.ArtefactKeyState: true, report.ArtefactOwnership: true, report.ArtefactPublicAccess: true,
	report.ArtefactEncryption: true, report.ArtefactTrail: true, report.ArtefactAccessLog: true, report.ArtefactBoundary: true,
	report.ArtefactSCP: true, report.ArtefactRCP: true, report.ArtefactEndpointPolicy: true, report.ArtefactIdentity: true,
	report.ArtefactTrust: true, report.ArtefactBucketPolicy: true, report.ArtefactKeyPolicy: true, report.ArtefactSourcePolicy: true,
	report.ArtefactIdentityBucket: true, report.ArtefactIdentityKey: true, report.ArtefactUnseen: true,
}
