package verifypb

import (
	"github.com/brokerd/brokerd/internal/verify/report"
	brokerdv1 "github.com/brokerd/brokerd/proto/brokerd/v1"
)

// FromReport returns the last message of a run: the summary.
func FromReport(r report.Report) *brokerdv1.VerifyAccessResponse {
	s := &brokerdv1.VerifySummary{Calls: uint32(r.Calls)}
	for _, n := range r.Path.Nodes {
		s.Nodes = append(s.Nodes, &brokerdv1.PathNode{Id: n.ID, Label: n.Label, Arn: n.ARN, Account: n.Account.ID, Side: string(n.Account.Side)})
	}
	for _, e := range r.Path.Edges {
		s.Edges = append(s.Edges, &brokerdv1.PathEdge{From: e.From, To: e.To, Result: fromResult(e.Result), Codes: e.Codes})
	}
	for _, m := range r.Messages {
		s.Messages = append(
			s.Messages,
			&brokerdv1.AccountMessage{Account: m.Account.ID, Side: string(m.Account.Side), Subject: m.Subject, Text: m.Text},
		)
	}
	return &brokerdv1.VerifyAccessResponse{Destination: r.Destination, Summary: s}
}

// Complete adds the summary of a run to the report of its checks.
func Complete(r *report.Report, s *brokerdv1.VerifySummary) {
	r.Calls = int(s.GetCalls())
	for _, n := range s.GetNodes() {
		r.Path.Nodes = append(
			r.Path.Nodes,
			report.Node{
				ID:      n.GetId(),
				Label:   n.GetLabel(),
				ARN:     n.GetArn(),
				Account: report.Account{ID: n.GetAccount(), Side: report.Side(n.GetSide())},
			},
		)
	}
	for _, e := range s.GetEdges() {
		r.Path.Edges = append(r.Path.Edges, report.Edge{From: e.GetFrom(), To: e.GetTo(), Result: toResult(e.GetResult()), Codes: e.GetCodes()})
	}
	for _, m := range s.GetMessages() {
		r.Messages = append(
			r.Messages,
			report.Message{Account: report.Account{ID: m.GetAccount(), Side: report.Side(m.GetSide())}, Subject: m.GetSubject(), Text: m.GetText()},
		)
	}
}
