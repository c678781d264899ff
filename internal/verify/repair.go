package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// owner says who must apply a change.
func (p *probe) owner(kind string, a report.Account) string {
	who := "an administrator of account " + a.ID
	switch kind {
	case report.ArtefactSCP, report.ArtefactRCP:
		who = "an administrator of the organization of account " + a.ID
	case report.ArtefactConfig, report.ArtefactNetwork, report.ArtefactClock, report.ArtefactCredentials, report.ArtefactSession:
		return "the operator of this host"
	case report.ArtefactIdentityBucket, report.ArtefactIdentityKey, report.ArtefactUnseen:
		return fmt.Sprintf("administrators of account %s (A) and account %s (B)", orA(p.accountA()), orUnknown(p.accountB()))
	}
	if a.ID == "" {
		return ""
	}
	if a.Side != "" {
		who += " (" + string(a.Side) + ")"
	}
	return who
}

// allow is the change that makes a layer allow a request. Where setup would
// write the statement, its own is taken: what verify prints is what setup applies.
func (p *probe) allow(f finding, sc iampolicy.Scenario) report.Fix {
	if f.Code == causeExternalID {
		return p.externalIDFix(f)
	}
	statement := p.setupStatement(f.Artefact, sc.Request.Action)
	text := fmt.Sprintf("Add this statement to %s.", place(f))
	if statement == nil {
		statement = p.plainAllow(f.Artefact, sc)
	}
	if f.Artefact == report.ArtefactSessionPolicy {
		return report.Fix{Kind: report.FixConfig, Text: "brokerd limits its sessions to the destination (`session.scope`). Set `scope: \"off\"` under `session` of the destination, or correct what stands between brokerd and STS.", Target: p.dest.Role, Owner: p.owner(report.ArtefactConfig, report.Account{}), Account: p.account(f.Account)}
	}
	// A statement of ours that somebody edited is put right, not doubled.
	sid := parseStatement(string(statement)).Sid
	for _, s := range p.docs.byKind[f.Artefact] {
		for i := range s.policy.Len() {
			old, line, column := s.policy.StatementText(i)
			if sid == "" || parseStatement(old).Sid != sid {
				continue
			}
			f.Name = orText(s.Name, f.Name)
			at := &report.Statement{Sid: sid, Index: i, Line: line, Column: column, Path: fmt.Sprintf("Statement[%d]", i), Text: old}
			return p.replaceStatement(f, at, statement, fmt.Sprintf("Replace statement %s of %s by this one.", statementName(at), place(f)))
		}
	}
	return p.addStatement(f.Artefact, f.ArtefactARN, statement, text)
}

// setupStatement is the Allow statement with an action that setup writes; nil when it writes none.
func (p *probe) setupStatement(kind, action string) json.RawMessage {
	docs := map[string]docKind{report.ArtefactTrust: docTrust, report.ArtefactIdentity: docIdentity, report.ArtefactBucketPolicy: docBucket, report.ArtefactKeyPolicy: docKey}
	doc, ok := docs[kind]
	if kind == report.ArtefactTrust && p.token.Issuer != "" {
		return json.RawMessage(p.webTrust())
	}
	if !ok {
		return nil
	}
	if text := p.statement(doc, action); text != "" {
		return json.RawMessage(text)
	}
	return nil
}

// plainAllow is the smallest statement that allows what an upload asks of a
// document that setup does not write.
func (p *probe) plainAllow(kind string, sc iampolicy.Scenario) json.RawMessage {
	st := map[string]any{"Sid": "BrokerdUpload", "Effect": "Allow"}
	actions, resource := any(sc.Request.Action), sc.Request.Resource
	switch {
	case strings.HasPrefix(sc.Request.Action, "s3:"):
		actions, resource = p.dest.WriteActions(), p.objectsARN()
	case strings.HasPrefix(sc.Request.Action, "kms:"):
		st["Sid"], actions = "BrokerdUseKey", []string{"kms:GenerateDataKey", "kms:Decrypt"}
	case kind == report.ArtefactSourcePolicy:
		st["Sid"] = "BrokerdAssumeRole"
	}
	st["Action"], st["Resource"] = actions, resource
	if kind == report.ArtefactEndpointPolicy {
		st["Principal"], st["Resource"] = "*", p.objectsARN()
	}
	if kind == report.ArtefactSCP {
		st["Resource"] = "*"
	}
	return json.RawMessage(statementJSON(st))
}

func (p *probe) objectsARN() string {
	prefix := ""
	if p.dest.KeyTemplate != nil {
		prefix = p.dest.KeyTemplate.Prefix()
	}
	return p.bucketARN() + "/" + prefix + "*"
}

func (p *probe) externalIDFix(f finding) report.Fix {
	want := ""
	if len(f.NearMisses) > 0 && len(f.NearMisses[0].Want) > 0 {
		want = f.NearMisses[0].Want[0]
	}
	return report.Fix{
		Kind: report.FixConfig, Target: p.dest.Role, Account: p.account(f.Account), Owner: p.owner(report.ArtefactConfig, report.Account{}),
		Text:  "Set the external id that the trust policy asks for in the destination: `session: {external_id: \"" + want + "\"}`. It protects the role: do not take the condition away instead.",
		Patch: json.RawMessage(statementJSON(map[string]any{"session": map[string]string{"external_id": want}})),
	}
}

// liftDeny is the change after which a Deny statement no longer meets the
// delivery, and keeps its purpose where it can.
func (p *probe) liftDeny(f finding, q question, sc iampolicy.Scenario, s statementParts) report.Fix {
	keys := s.keys()
	condition := func(operator, key, value string) {
		if s.Condition == nil {
			s.Condition = map[string]map[string]json.RawMessage{}
		}
		if s.Condition[operator] == nil {
			s.Condition[operator] = map[string]json.RawMessage{}
		}
		s.Condition[operator][key] = json.RawMessage(`"` + value + `"`)
	}
	forwarded := strings.HasPrefix(sc.Request.Action, "kms:") && slices.ContainsFunc(keys, isNetworkKey)
	onHeader := slices.ContainsFunc(keys, func(k string) bool { return k == encryptionKey || k == encryptionKeyID })
	var text string
	switch {
	case f.Artefact == report.ArtefactTrust && slices.Contains(keys, "sts:externalid"):
		f.NearMisses = []report.NearMiss{{Want: s.values("sts:externalid")}}
		return p.externalIDFix(f)
	case forwarded:
		condition("BoolIfExists", "aws:ViaAWSService", "false")
		text = "Except the calls that AWS services make in somebody's name."
	case onHeader && f.Artefact == report.ArtefactBucketPolicy && f.step != stepCreate:
		for _, k := range keys {
			if k == encryptionKey || k == encryptionKeyID {
				condition("Null", k, "false")
			}
		}
		text = "Let the statement speak of requests that carry the header: parts and the completion of an upload carry none, and are refused."
	case onHeader && f.Artefact == report.ArtefactBucketPolicy && s.rename(encryptionKeyID, p.dest.KMSKey):
		condition("Null", encryptionKeyID, "false")
		text = "Name the key by its full ARN: what brokerd sends is compared letter by letter."
	case f.Artefact == report.ArtefactBucketPolicy || f.Artefact == report.ArtefactKeyPolicy || f.Artefact == report.ArtefactSCP || f.Artefact == report.ArtefactRCP:
		s.except(p.dest.Role)
		text = "Except the role."
		if f.Code == causeBucketACL {
			text += " With BucketOwnerEnforced the owner needs no such ACL."
		}
	default:
		return p.removeStatement(f, fmt.Sprintf("Remove statement %s of %s, or narrow it so that it does not meet %s.", statementName(f.Statement), place(f), sc.Request.Action))
	}
	patch, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return report.Fix{}
	}
	return p.replaceStatement(f, f.Statement, patch, text+fmt.Sprintf(" Replace statement %s of %s by this one.", statementName(f.Statement), place(f)))
}

// values are those that a statement has for a condition key.
func (s statementParts) values(key string) []string {
	for _, keys := range s.Condition {
		for k, raw := range keys {
			if strings.EqualFold(k, key) {
				var out policytext.StringList
				if json.Unmarshal(raw, &out) == nil {
					return out
				}
			}
		}
	}
	return nil
}

// rename puts another value into a StringNotEquals on a key; false when there is none.
func (s statementParts) rename(key, value string) bool {
	for operator, keys := range s.Condition {
		for k := range keys {
			if strings.HasPrefix(operator, "StringNotEquals") && strings.EqualFold(k, key) {
				keys[k] = json.RawMessage(`"` + value + `"`)
				return true
			}
		}
	}
	return false
}

// except adds the role to whom a statement does not apply.
func (s *statementParts) except(role string) {
	const operator, key = "ArnNotEquals", "aws:PrincipalArn"
	var list policytext.StringList
	if keys := s.Condition[operator]; keys != nil {
		_ = json.Unmarshal(keys[key], &list)
	}
	data, err := json.Marshal(append(list, role))
	if err != nil {
		return
	}
	if s.Condition == nil {
		s.Condition = map[string]map[string]json.RawMessage{}
	}
	if s.Condition[operator] == nil {
		s.Condition[operator] = map[string]json.RawMessage{}
	}
	s.Condition[operator][key] = data
}

func (p *probe) addStatement(kind, target string, statement json.RawMessage, text string) report.Fix {
	account := p.accountOfKind(kind)
	f := report.Fix{Kind: report.FixAddStatement, Text: text, Target: orText(target, p.target(kind)), Patch: indented(statement), Account: account, Owner: p.owner(kind, account)}
	if kind == report.ArtefactIdentity || kind == report.ArtefactSourcePolicy {
		f.Policy = "brokerd-" + p.dest.Name + "-fix"
	}
	f.Command = p.command(kind, f)
	return f
}

func (p *probe) replaceStatement(f finding, at *report.Statement, statement json.RawMessage, text string) report.Fix {
	account := p.account(f.Account)
	out := report.Fix{Kind: report.FixReplaceStatement, Text: text, Target: orText(f.ArtefactARN, p.target(f.Artefact)), Policy: f.Name, Patch: indented(statement), Statement: at, Account: account, Owner: p.owner(f.Artefact, account)}
	out.Command = p.command(f.Artefact, out)
	return out
}

func (p *probe) removeStatement(f finding, text string) report.Fix {
	account := p.account(f.Account)
	out := report.Fix{Kind: report.FixRemoveStatement, Text: text, Target: orText(f.ArtefactARN, p.target(f.Artefact)), Policy: f.Name, Statement: f.Statement, Account: account, Owner: p.owner(f.Artefact, account)}
	out.Command = p.command(f.Artefact, out)
	return out
}

func indented(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return raw
	}
	return b.Bytes()
}

// target is the ARN of what a kind of document is attached to.
func (p *probe) target(kind string) string {
	switch kind {
	case report.ArtefactBucketPolicy, report.ArtefactIdentityBucket:
		return p.bucketARN()
	case report.ArtefactKeyPolicy, report.ArtefactIdentityKey:
		return p.dest.KMSKey
	case report.ArtefactSourcePolicy:
		return awsarn.Role(p.source)
	}
	return p.dest.Role
}

func (p *probe) accountOfKind(kind string) report.Account {
	switch kind {
	case report.ArtefactBucketPolicy, report.ArtefactKeyPolicy, report.ArtefactRCP, report.ArtefactIdentityBucket, report.ArtefactIdentityKey, report.ArtefactPublicAccess, report.ArtefactEncryption, report.ArtefactOwnership:
		return p.account(p.accountB())
	case report.ArtefactSourcePolicy:
		return p.account(awsarn.Account(p.source))
	}
	return p.account(p.accountA())
}
