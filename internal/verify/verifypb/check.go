package verifypb

import (
	"encoding/json"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/brokerd/brokerd/internal/verify/report"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// FromCheck returns the message of a check.
func FromCheck(destination string, c report.Check) *brokerdv1.VerifyAccessResponse {
	out := &brokerdv1.VerifyAccessResponse{
		Destination: destination, Check: c.ID, Code: c.Code, Category: c.Category, Title: c.Title, Result: fromResult(c.Result),
		Detail: c.Why, Account: c.Account.ID, Side: string(c.Account.Side),
		Artefact: c.Artefact.Kind, ArtefactArn: c.Artefact.ARN, ArtefactName: c.Artefact.Name, Statement: fromStatement(c.Artefact.Statement),
		Fix: c.Fix.Text, FixStatement: string(c.Fix.Patch), Repair: fromFix(c.Fix),
		Confidence: string(c.Confidence), Assumptions: c.Assumptions, Docs: c.Docs, Advisory: c.Advisory, Confirms: c.Confirms,
		Elapsed: durationpb.New(c.Elapsed),
	}
	for _, e := range c.Evidence {
		out.Evidence = append(out.Evidence, &brokerdv1.CheckEvidence{
			Source: string(e.Source), Operation: e.Operation, HttpStatus: uint32(e.HTTPStatus), RequestId: e.RequestID, HostId: e.HostID,
			AwsCode: e.AWSCode, AwsMessage: e.AWSMessage, Text: e.Text,
		})
		if out.RequestId == "" && out.AwsCode == "" { // the first call's, for older clients
			out.RequestId, out.AwsCode, out.AwsMessage = e.RequestID, e.AWSCode, e.AWSMessage
		}
	}
	for _, n := range c.NearMisses {
		out.NearMisses = append(out.NearMisses, &brokerdv1.NearMiss{
			Policy: n.Policy, Statement: fromStatement(&n.Statement), FailedOn: n.FailedOn, Operator: n.Operator, Key: n.Key,
			Want: n.Want, Got: n.Got, Note: n.Note,
		})
	}
	return out
}

// ToCheck returns the check of a message.
func ToCheck(r *brokerdv1.VerifyAccessResponse) report.Check {
	out := report.Check{
		ID: r.GetCheck(), Code: r.GetCode(), Category: r.GetCategory(), Title: r.GetTitle(), Result: toResult(r.GetResult()),
		Why: r.GetDetail(), Account: report.Account{ID: r.GetAccount(), Side: report.Side(r.GetSide())},
		Artefact: report.Artefact{
			Kind:      r.GetArtefact(),
			ARN:       r.GetArtefactArn(),
			Name:      r.GetArtefactName(),
			Statement: toStatement(r.GetStatement()),
		},
		Fix: toFix(r),
		Confidence: report.Confidence(
			r.GetConfidence(),
		), Assumptions: r.GetAssumptions(), Docs: r.GetDocs(), Advisory: r.GetAdvisory(), Confirms: r.GetConfirms(),
		Elapsed: r.GetElapsed().AsDuration(),
	}
	if out.ID == "" {
		out.ID = out.Code // of an older daemon
	}
	for _, e := range r.GetEvidence() {
		out.Evidence = append(out.Evidence, report.Evidence{
			Source: report.Source(
				e.GetSource(),
			), Operation: e.GetOperation(), HTTPStatus: int(e.GetHttpStatus()), RequestID: e.GetRequestId(), HostID: e.GetHostId(),
			AWSCode: e.GetAwsCode(), AWSMessage: e.GetAwsMessage(), Text: e.GetText(),
		})
	}
	if len(out.Evidence) == 0 && (r.GetAwsCode() != "" || r.GetRequestId() != "") {
		out.Evidence = []report.Evidence{
			{Source: report.SourceProbe, RequestID: r.GetRequestId(), AWSCode: r.GetAwsCode(), AWSMessage: r.GetAwsMessage()},
		}
	}
	for _, n := range r.GetNearMisses() {
		miss := report.NearMiss{
			Policy: n.GetPolicy(), FailedOn: n.GetFailedOn(), Operator: n.GetOperator(), Key: n.GetKey(),
			Want: n.GetWant(), Got: n.GetGot(), Note: n.GetNote(),
		}
		if s := toStatement(n.GetStatement()); s != nil {
			miss.Statement = *s
		}
		out.NearMisses = append(out.NearMisses, miss)
	}
	return out
}

func fromFix(f report.Fix) *brokerdv1.CheckFix {
	if f.IsZero() {
		return nil
	}
	return &brokerdv1.CheckFix{
		Kind: string(f.Kind), Text: f.Text, TargetArn: f.Target, Policy: f.Policy, Patch: string(f.Patch), Statement: fromStatement(f.Statement),
		Command: f.Command, Owner: f.Owner, Account: f.Account.ID, Side: string(f.Account.Side),
	}
}

func toFix(r *brokerdv1.VerifyAccessResponse) report.Fix {
	f := r.GetRepair()
	if f == nil {
		return report.Fix{Text: r.GetFix(), Patch: raw(r.GetFixStatement())}
	}
	return report.Fix{
		Kind: report.FixKind(
			f.GetKind(),
		), Text: f.GetText(), Target: f.GetTargetArn(), Policy: f.GetPolicy(), Patch: raw(f.GetPatch()), Statement: toStatement(f.GetStatement()),
		Command: f.GetCommand(), Owner: f.GetOwner(), Account: report.Account{ID: f.GetAccount(), Side: report.Side(f.GetSide())},
	}
}

// raw drops a patch that is not JSON, because patches are embedded in JSON documents.
func raw(s string) json.RawMessage {
	if !json.Valid([]byte(s)) {
		return nil
	}
	return json.RawMessage(s)
}

func fromStatement(s *report.Statement) *brokerdv1.PolicyStatement {
	if s == nil {
		return nil
	}
	return &brokerdv1.PolicyStatement{
		Sid:    s.Sid,
		Index:  uint32(s.Index),
		Line:   uint32(s.Line),
		Column: uint32(s.Column),
		Path:   s.Path,
		Text:   s.Text,
	}
}

func toStatement(s *brokerdv1.PolicyStatement) *report.Statement {
	if s == nil {
		return nil
	}
	return &report.Statement{
		Sid:    s.GetSid(),
		Index:  int(s.GetIndex()),
		Line:   int(s.GetLine()),
		Column: int(s.GetColumn()),
		Path:   s.GetPath(),
		Text:   s.GetText(),
	}
}

var results = map[report.Result]brokerdv1.CheckResult{
	report.Pass:    brokerdv1.CheckResult_CHECK_RESULT_PASS,
	report.Warn:    brokerdv1.CheckResult_CHECK_RESULT_WARN,
	report.Fail:    brokerdv1.CheckResult_CHECK_RESULT_FAIL,
	report.Unknown: brokerdv1.CheckResult_CHECK_RESULT_UNKNOWN,
	report.Skip:    brokerdv1.CheckResult_CHECK_RESULT_SKIP,
}

// fromResult maps an unknown result to Unknown, never to a pass.
func fromResult(r report.Result) brokerdv1.CheckResult {
	if out, ok := results[r]; ok {
		return out
	}
	return brokerdv1.CheckResult_CHECK_RESULT_UNKNOWN
}

func toResult(r brokerdv1.CheckResult) report.Result {
	for out, in := range results {
		if in == r {
			return out
		}
	}
	return report.Unknown
}
