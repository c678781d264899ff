package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/verify/report"
)

// fixes writes the changes that repair findings. Where setup writes a statement,
// the fix is that statement: what verify prints is what setup applies.
type fixes struct {
	*arrangement
	docs *documents
}

// allow is the change that makes a layer allow a request. Where setup would
// write the statement, its own is taken: what verify prints is what setup applies.
func (x *fixes) allow(f finding, sc iampolicy.Scenario) report.Fix {
	if f.Code == causeExternalID {
		return x.externalIDFix(f)
	}
	statement := x.setupStatement(f.Artefact, sc.Request.Action)
	text := fmt.Sprintf("Add this statement to %s.", describeDocument(f))
	if statement == nil {
		statement = x.plainAllow(f.Artefact, sc)
	}
	if f.Artefact == report.ArtefactSessionPolicy {
		return report.Fix{Kind: report.FixConfig, Text: "brokerd limits its sessions to the destination (`session.scope`). Set `scope: \"off\"` under `session` of the destination, or correct what stands between brokerd and STS.", Target: x.dest.Role, Owner: x.owner(report.ArtefactConfig, report.Account{}), Account: x.account(f.Account)}
	}
	// A statement of ours that somebody edited is put right, not doubled.
	sid := parseStatement(string(statement)).Sid
	for _, s := range x.docs.byKind[f.Artefact] {
		for i := range s.policy.Len() {
			old, line, column := s.policy.StatementText(i)
			if sid == "" || parseStatement(old).Sid != sid {
				continue
			}
			f.Name = orText(s.Name, f.Name)
			at := &report.Statement{Sid: sid, Index: i, Line: line, Column: column, Path: fmt.Sprintf("Statement[%d]", i), Text: old}
			return x.replaceStatement(f, at, statement, fmt.Sprintf("Replace statement %s of %s by this one.", statementName(at), describeDocument(f)))
		}
	}
	return x.addStatement(f.Artefact, f.ArtefactARN, statement, text)
}

// setupStatement is the Allow statement with an action that setup writes; nil when it writes none.
func (x *fixes) setupStatement(kind, action string) json.RawMessage {
	docs := map[string]docKind{report.ArtefactTrust: docTrust, report.ArtefactIdentity: docIdentity, report.ArtefactBucketPolicy: docBucket, report.ArtefactKeyPolicy: docKey}
	doc, ok := docs[kind]
	if kind == report.ArtefactTrust && x.token.Issuer != "" {
		return json.RawMessage(x.webTrust())
	}
	if !ok {
		return nil
	}
	if text := x.statement(doc, action); text != "" {
		return json.RawMessage(text)
	}
	return nil
}

// plainAllow is the smallest statement that allows what an upload asks of a
// document that setup does not write.
func (x *fixes) plainAllow(kind string, sc iampolicy.Scenario) json.RawMessage {
	st := map[string]any{"Sid": "BrokerdUpload", "Effect": "Allow"}
	actions, resource := any(sc.Request.Action), sc.Request.Resource
	switch {
	case strings.HasPrefix(sc.Request.Action, "s3:"):
		actions, resource = x.dest.WriteActions(), x.objectsARN()
	case strings.HasPrefix(sc.Request.Action, "kms:"):
		st["Sid"], actions = "BrokerdUseKey", []string{"kms:GenerateDataKey", "kms:Decrypt"}
	case kind == report.ArtefactSourcePolicy:
		st["Sid"] = "BrokerdAssumeRole"
	}
	st["Action"], st["Resource"] = actions, resource
	if kind == report.ArtefactEndpointPolicy {
		st["Principal"], st["Resource"] = "*", x.objectsARN()
	}
	if kind == report.ArtefactSCP {
		st["Resource"] = "*"
	}
	return json.RawMessage(statementJSON(st))
}

func (x *fixes) externalIDFix(f finding) report.Fix {
	want := ""
	if len(f.NearMisses) > 0 && len(f.NearMisses[0].Want) > 0 {
		want = f.NearMisses[0].Want[0]
	}
	return report.Fix{
		Kind: report.FixConfig, Target: x.dest.Role, Account: x.account(f.Account), Owner: x.owner(report.ArtefactConfig, report.Account{}),
		Text:  "Set the external id that the trust policy asks for in the destination: `session: {external_id: \"" + want + "\"}`. It protects the role: do not take the condition away instead.",
		Patch: json.RawMessage(statementJSON(map[string]any{"session": map[string]string{"external_id": want}})),
	}
}

// liftDeny is the change after which a Deny statement no longer meets the
// delivery, and keeps its purpose where it can.
func (x *fixes) liftDeny(f finding, q question, sc iampolicy.Scenario, s statementParts) report.Fix {
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
		return x.externalIDFix(f)
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
	case onHeader && f.Artefact == report.ArtefactBucketPolicy && s.rename(encryptionKeyID, x.dest.KMSKey):
		condition("Null", encryptionKeyID, "false")
		text = "Name the key by its full ARN: what brokerd sends is compared letter by letter."
	case f.Artefact == report.ArtefactBucketPolicy || f.Artefact == report.ArtefactKeyPolicy || f.Artefact == report.ArtefactSCP || f.Artefact == report.ArtefactRCP:
		s.except(x.dest.Role)
		text = "Except the role."
		if f.Code == causeBucketACL {
			text += " With BucketOwnerEnforced the owner needs no such ACL."
		}
	default:
		return x.removeStatement(f, fmt.Sprintf("Remove statement %s of %s, or narrow it so that it does not meet %s.", statementName(f.Statement), describeDocument(f), sc.Request.Action))
	}
	patch, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return report.Fix{}
	}
	return x.replaceStatement(f, f.Statement, patch, text+fmt.Sprintf(" Replace statement %s of %s by this one.", statementName(f.Statement), describeDocument(f)))
}

func (x *fixes) addStatement(kind, target string, statement json.RawMessage, text string) report.Fix {
	account := x.accountOfKind(kind)
	f := report.Fix{Kind: report.FixAddStatement, Text: text, Target: orText(target, x.target(kind)), Patch: indented(statement), Account: account, Owner: x.owner(kind, account)}
	if kind == report.ArtefactIdentity || kind == report.ArtefactSourcePolicy {
		f.Policy = "brokerd-" + x.dest.Name + "-fix"
	}
	f.Command = x.command(kind, f)
	return f
}

func (x *fixes) replaceStatement(f finding, at *report.Statement, statement json.RawMessage, text string) report.Fix {
	account := x.account(f.Account)
	out := report.Fix{Kind: report.FixReplaceStatement, Text: text, Target: orText(f.ArtefactARN, x.target(f.Artefact)), Policy: f.Name, Patch: indented(statement), Statement: at, Account: account, Owner: x.owner(f.Artefact, account)}
	out.Command = x.command(f.Artefact, out)
	return out
}

func (x *fixes) removeStatement(f finding, text string) report.Fix {
	account := x.account(f.Account)
	out := report.Fix{Kind: report.FixRemoveStatement, Text: text, Target: orText(f.ArtefactARN, x.target(f.Artefact)), Policy: f.Name, Statement: f.Statement, Account: account, Owner: x.owner(f.Artefact, account)}
	out.Command = x.command(f.Artefact, out)
	return out
}

func indented(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return raw
	}
	return b.Bytes()
}

// narrow replaces a statement that allows too much by the one that setup writes.
func (x *fixes) narrow(f finding) report.Fix {
	patch := x.setupStatement(f.Artefact, "s3:PutObject")
	if patch == nil || !strings.Contains(f.Statement.Text, "s3:") && !strings.Contains(f.Statement.Text, `"*"`) {
		return report.Fix{}
	}
	return x.replaceStatement(f, f.Statement, patch, fmt.Sprintf("Replace statement %s of %s by this one, which allows what an upload needs.", statementName(f.Statement), describeDocument(f)))
}

// webTrust lets just this token in.
func (x *fixes) webTrust() string {
	host := x.token.provider()
	equals := map[string]any{host + ":sub": x.token.Subject}
	if len(x.token.Audience) > 0 {
		equals[host+":aud"] = x.token.Audience[0]
	}
	return statementJSON(map[string]any{
		"Sid": "BrokerdAssumeRole", "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
		"Principal": map[string]string{"Federated": x.providerARN()}, "Condition": map[string]any{"StringEquals": equals},
	})
}
