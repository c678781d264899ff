package verify

import (
	"slices"
	"strings"
)

// path draws the way of an object from what the checks found.
func (p *probe) path(list []Check) Path {
	a, b := p.account(p.accountA()), p.account(p.accountB())
	out := Path{Nodes: []Node{
		{ID: NodePeer, Label: "application"},
		{ID: NodeBroker, Label: "brokerd"},
		{ID: NodeSource, Label: orText(shortName(p.source), orText(p.noSource, "source identity")), ARN: p.source, Account: p.account(accountOf(p.source))},
		{ID: NodeRole, Label: orText(roleName(p.dest.Role), "source credentials"), ARN: p.dest.Role, Account: a},
	}}
	if strings.Contains(p.s3Address, "interface endpoint") || p.docs.one(DocumentEndpointPolicy) != nil {
		out.Nodes = append(out.Nodes, Node{ID: NodeEndpoint, Label: "VPC endpoint", Account: a})
	}
	out.Nodes = append(out.Nodes, Node{ID: NodeBucket, Label: p.dest.Bucket, ARN: p.bucketARN(), Account: b})
	if p.dest.KMSKey != "" {
		out.Nodes = append(out.Nodes, Node{ID: NodeKey, Label: p.dest.KMSKey[strings.LastIndexByte(p.dest.KMSKey, '/')+1:], ARN: p.dest.KMSKey, Account: p.account(accountOf(p.dest.KMSKey))})
	}
	for i := 1; i < len(out.Nodes); i++ {
		out.Edges = append(out.Edges, p.edge(out.Nodes[i-1].ID, out.Nodes[i].ID, list))
	}
	return out
}

func shortName(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// edge is red when a finding is about it, green when a check has proven it, and
// unknown else. Who may ask the daemon is not for these checks to say.
func (p *probe) edge(from, to string, list []Check) Edge {
	e := Edge{From: from, To: to, Result: Unknown}
	for _, c := range list {
		if c.Result == Fail && c.Category != CategoryPrivilege && c.Category != CategoryAudit && edgeOf(c) == to && !slices.Contains(e.Codes, c.Code) {
			e.Result, e.Codes = Fail, append(e.Codes, c.Code)
		}
	}
	if e.Result == Fail {
		return e
	}
	holds := func(code string) bool {
		return slices.ContainsFunc(list, func(c Check) bool { return c.ID == code && (c.Result == Pass || c.Result == Warn) })
	}
	proof := map[string]string{NodeSource: codeSource, NodeRole: codeIdentity, NodeEndpoint: codeReachS3, NodeBucket: codeCreate, NodeKey: codeEncrypt}[to]
	switch {
	case proof != "" && holds(proof):
		e.Result = Pass
	case to == NodeBucket && p.onlyKey(list):
		e.Result = Pass // the same without the key was accepted
	}
	return e
}

// onlyKey says that the upload failed at KMS, which S3 asks when all of its own holds.
func (p *probe) onlyKey(list []Check) bool {
	at := slices.IndexFunc(list, func(c Check) bool { return c.ID == codeCreate && c.Result == Fail })
	return at >= 0 && !slices.ContainsFunc(list, func(c Check) bool { return c.ID == codeCreate && c.Result == Fail && edgeOf(c) != NodeKey })
}

// edgeOf is the station before which a finding stops an object.
func edgeOf(c Check) string {
	key := strings.HasPrefix(c.Code, "BRK-KMS-")
	switch c.Artefact.Kind {
	case ArtefactCredentials:
		return NodeSource
	case ArtefactTrust, ArtefactSourcePolicy, ArtefactSession:
		return NodeRole
	case ArtefactEndpointPolicy:
		return NodeEndpoint
	case ArtefactKeyPolicy, ArtefactKeyState, ArtefactIdentityKey, ArtefactEncryption:
		return NodeKey
	case ArtefactClock:
		return NodeSource
	case ArtefactNetwork, ArtefactConfig:
		switch c.ID {
		case codeReachSTS, codeSource:
			return NodeSource
		case codeKeyName, codeReachKMS:
			return NodeKey
		}
		return NodeBucket
	}
	if c.Category == CategoryIdentity {
		return NodeRole
	}
	if !key && len(c.Evidence) > 0 {
		for _, e := range c.Evidence {
			key = key || strings.HasPrefix(e.Operation, "kms:") || strings.Contains(e.AWSMessage, "to perform: kms:")
		}
	}
	if key {
		return NodeKey
	}
	return NodeBucket
}
