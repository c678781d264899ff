package verify

import "encoding/json"

// finding is the outcome of a check as the checks write it; record makes the
// Check of it.
type finding struct {
	Code        string // empty: the check's own
	Result      Result
	Detail      string
	Account     string
	Artefact    string
	ArtefactARN string
	Name        string
	Statement   *Statement
	NearMisses  []NearMiss
	Evidence    []Evidence
	Confidence  Confidence
	Assumptions []string
	Advisory    bool
	Confirms    string

	Fix          string // what to do, when there is nothing more to a repair
	FixStatement string // the Allow statement that is missing
	Repair       Fix    // the whole of it

	AWSCode    string
	AWSMessage string
	RequestID  string
	HostID     string
	HTTPStatus int
	Operation  string

	step stepID // of the question that it follows from
	row  string // the check of the policies that it belongs to
}

func (p *probe) record(c check, f finding) Check {
	out := Check{ID: c.code, Code: f.Code, Category: c.category, Title: c.title, Result: f.Result, Why: f.Detail, Evidence: f.Evidence, Assumptions: f.Assumptions, Advisory: f.Advisory, Confirms: f.Confirms}
	if out.Code == "" {
		out.Code = c.code
	}
	out.Docs = DocsURL(out.Code)
	if f.AWSCode != "" || f.RequestID != "" {
		out.Evidence = append([]Evidence{{
			Source: SourceProbe, Operation: f.Operation, HTTPStatus: f.HTTPStatus, RequestID: f.RequestID, HostID: f.HostID, AWSCode: f.AWSCode, AWSMessage: f.AWSMessage,
		}}, out.Evidence...)
	}
	if f.Result == Pass || f.Result == Skip {
		return out
	}
	out.Account = p.account(f.Account)
	out.Artefact = Artefact{Kind: f.Artefact, ARN: f.ArtefactARN, Name: f.Name, Statement: f.Statement}
	out.NearMisses, out.Confidence = f.NearMisses, f.Confidence
	if out.Confidence == "" {
		out.Confidence = Strong
		if f.AWSCode != "" {
			out.Confidence = Proven
		}
	}
	out.Fix = f.Repair
	if out.Fix.IsZero() && f.FixStatement != "" {
		out.Fix = p.addStatement(f.Artefact, "", json.RawMessage(f.FixStatement), f.Fix)
	}
	if out.Fix.IsZero() && f.Fix != "" {
		out.Fix = Fix{Kind: FixConfig, Text: f.Fix, Target: f.ArtefactARN, Account: out.Account}
		out.Fix.Owner = p.owner(f.Artefact, out.Account)
		if settingKinds[f.Artefact] {
			out.Fix.Kind = FixSetting
		}
	}
	return out
}

// settingKinds are the artefacts that are settings of a resource.
var settingKinds = map[string]bool{
	ArtefactBucket: true, ArtefactKeyState: true, ArtefactOwnership: true, ArtefactPublicAccess: true, ArtefactEncryption: true,
	ArtefactTrail: true, ArtefactAccessLog: true, ArtefactBoundary: true, ArtefactSCP: true, ArtefactRCP: true, ArtefactEndpointPolicy: true,
	ArtefactIdentity: true, ArtefactTrust: true, ArtefactBucketPolicy: true, ArtefactKeyPolicy: true, ArtefactSourcePolicy: true,
	ArtefactIdentityBucket: true, ArtefactIdentityKey: true, ArtefactUnseen: true,
}

// account says on whose side an account is.
func (p *probe) account(id string) Account {
	switch {
	case id == "":
		return Account{}
	case id == p.accountB() && id != p.accountA():
		return Account{ID: id, Side: SideB}
	}
	return Account{ID: id, Side: SideA}
}

// DocsURL is the address of the page of a code.
func DocsURL(code string) string {
	return "https://github.com/brokerd/brokerd/blob/main/docs/checks/" + code + ".md"
}
