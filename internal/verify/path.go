package verify

import (
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// path returns the path of an object with a result for each step.
func (r *run) path(list []report.Check) report.Path {
	a, b := r.account(r.accountA()), r.account(r.accountB())
	out := report.Path{Nodes: []report.Node{
		{ID: report.NodePeer, Label: "application"},
		{ID: report.NodeBroker, Label: "brokerd"},
		{
			ID:      report.NodeSource,
			Label:   orText(shortName(r.source), orText(r.noSource, "source identity")),
			ARN:     r.source,
			Account: r.account(awsarn.Account(r.source)),
		},
		{ID: report.NodeRole, Label: orText(roleName(r.dest.Role), "source credentials"), ARN: r.dest.Role, Account: a},
	}}
	if strings.Contains(r.s3Address, "interface endpoint") || r.docs.one(report.DocumentEndpointPolicy) != nil {
		out.Nodes = append(out.Nodes, report.Node{ID: report.NodeEndpoint, Label: "VPC endpoint", Account: a})
	}
	out.Nodes = append(out.Nodes, report.Node{ID: report.NodeBucket, Label: r.dest.Bucket, ARN: r.bucketARN(), Account: b})
	if r.dest.KMSKey != "" {
		out.Nodes = append(
			out.Nodes,
			report.Node{
				ID:      report.NodeKey,
				Label:   r.dest.KMSKey[strings.LastIndexByte(r.dest.KMSKey, '/')+1:],
				ARN:     r.dest.KMSKey,
				Account: r.account(awsarn.Account(r.dest.KMSKey)),
			},
		)
	}
	for i := 1; i < len(out.Nodes); i++ {
		out.Edges = append(out.Edges, r.edge(out.Nodes[i-1].ID, out.Nodes[i].ID, list))
	}
	return out
}

func shortName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// edge is Fail when a finding is about the step, Pass when a check has proven it, and
// Unknown else.
func (r *run) edge(from, to string, list []report.Check) report.Edge {
	e := report.Edge{From: from, To: to, Result: report.Unknown}
	for _, c := range list {
		if c.Result == report.Fail && c.Category != report.CategoryPrivilege && c.Category != report.CategoryAudit && edgeOf(c) == to &&
			!slices.Contains(e.Codes, c.Code) {
			e.Result, e.Codes = report.Fail, append(e.Codes, c.Code)
		}
	}
	if e.Result == report.Fail {
		return e
	}
	holds := func(code string) bool {
		return slices.ContainsFunc(
			list,
			func(c report.Check) bool { return c.ID == code && (c.Result == report.Pass || c.Result == report.Warn) },
		)
	}
	proof := map[string]string{report.NodeSource: codeSource, report.NodeRole: codeIdentity, report.NodeEndpoint: codeReachS3,
		report.NodeBucket: codeCreate, report.NodeKey: codeEncrypt}[to]
	switch {
	case proof != "" && holds(proof):
		e.Result = report.Pass
	case to == report.NodeBucket && r.onlyKey(list):
		e.Result = report.Pass // S3 asks KMS after its own policies
	}
	return e
}

// onlyKey reports whether the upload failed at KMS alone.
func (r *run) onlyKey(list []report.Check) bool {
	at := slices.IndexFunc(list, func(c report.Check) bool { return c.ID == codeCreate && c.Result == report.Fail })
	return at >= 0 && !slices.ContainsFunc(list, func(c report.Check) bool {
		return c.ID == codeCreate && c.Result == report.Fail && edgeOf(c) != report.NodeKey
	})
}

// edgeOf returns the station that a finding keeps an object from.
func edgeOf(c report.Check) string {
	key := strings.HasPrefix(c.Code, "BRK-KMS-")
	switch c.Artefact.Kind {
	case report.ArtefactCredentials:
		return report.NodeSource
	case report.ArtefactTrust, report.ArtefactSourcePolicy, report.ArtefactSession:
		return report.NodeRole
	case report.ArtefactEndpointPolicy:
		return report.NodeEndpoint
	case report.ArtefactKeyPolicy, report.ArtefactKeyState, report.ArtefactIdentityKey, report.ArtefactEncryption:
		return report.NodeKey
	case report.ArtefactClock:
		return report.NodeSource
	case report.ArtefactNetwork, report.ArtefactConfig:
		switch c.ID {
		case codeReachSTS, codeSource:
			return report.NodeSource
		case codeKeyName, codeReachKMS:
			return report.NodeKey
		}
		return report.NodeBucket
	}
	if c.Category == report.CategoryIdentity {
		return report.NodeRole
	}
	if !key && len(c.Evidence) > 0 {
		for _, e := range c.Evidence {
			key = key || strings.HasPrefix(e.Operation, "kms:") || strings.Contains(e.AWSMessage, "to perform: kms:")
		}
	}
	if key {
		return report.NodeKey
	}
	return report.NodeBucket
}
