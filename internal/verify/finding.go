package verify

import "encoding/json"

// finding is a check's outcome as the checks write it; record makes the Check of it.
type finding struct {
	Code         string
	Result       Result
	Detail       string
	Account      string
	Artefact     string
	ArtefactARN  string
	Fix          string
	FixStatement string
	AWSCode      string
	AWSMessage   string
	RequestID    string
}

func (p *probe) record(c check, f finding) Check {
	out := Check{ID: c.code, Code: f.Code, Category: c.category, Title: c.title, Result: f.Result, Why: f.Detail}
	if out.Code == "" {
		out.Code = c.code
	}
	out.Docs = DocsURL(out.Code)
	if f.Result == Pass || f.Result == Skip {
		return out
	}
	out.Account = p.account(f.Account)
	out.Artefact = Artefact{Kind: f.Artefact, ARN: f.ArtefactARN}
	if f.AWSCode != "" || f.RequestID != "" {
		out.Evidence = append(out.Evidence, Evidence{Source: SourceProbe, AWSCode: f.AWSCode, AWSMessage: f.AWSMessage, RequestID: f.RequestID})
	}
	if f.Fix != "" {
		out.Fix = Fix{Kind: FixConfig, Text: f.Fix, Target: f.ArtefactARN, Account: out.Account}
	}
	if f.FixStatement != "" {
		out.Fix.Kind, out.Fix.Patch = FixAddStatement, json.RawMessage(f.FixStatement)
	}
	return out
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
