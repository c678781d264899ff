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
// the fix is that statement, so that verify and setup agree.
//
// A fix holds a command only if its effect is known: it was proven from the
// documents (prediction_proof.go), or it changes the destination's own stanza. A fix
// that follows from AWS's text alone is a description.
type fixes struct {
	*arrangement
	docs *documents
}

// allow returns the change that makes a layer allow a request.
func (x *fixes) allow(f finding, sc iampolicy.Scenario) report.Fix {
	switch {
	case f.Code == causeExternalID:
		return x.externalIDFix(f)
	case f.Artefact == report.ArtefactSessionPolicy:
		return report.Fix{
			Kind: report.FixConfig, Target: x.dest.Role, Account: x.account(f.Account), Owner: x.owner(report.ArtefactConfig, report.Account{}),
			Text: "brokerd limits its sessions to the destination (`session.scope`). If another program adds the session policy, " +
				"correct it there. Else set `session: {scope: \"off\"}` in the destination.",
		}
	}
	statement := x.setupStatement(f.Artefact, sc.Request.Action)
	if statement == nil {
		statement = x.plainAllow(f.Artefact, sc)
	}
	// An edited statement of setup is replaced, because its Sid can occur once only. A
	// statement that serves other principals stays, and the new one gets another Sid.
	sid := parseStatement(string(statement)).Sid
	for _, s := range x.docs.byKind[f.Artefact] {
		for i := range s.policy.Len() {
			old, line, column := s.policy.StatementText(i)
			if sid == "" || parseStatement(old).Sid != sid {
				continue
			}
			if servesOthers(old, string(statement)) {
				statement = json.RawMessage(withSid(string(statement), x.freeSid(f.Artefact, sid)))
				return x.addStatement(f.Artefact, f.ArtefactARN, statement, fmt.Sprintf("Add this statement to %s.", describeDocument(f)))
			}
			f.Name = orText(s.Name, f.Name)
			at := &report.Statement{Sid: sid, Index: i, Line: line, Column: column, Path: fmt.Sprintf("Statement[%d]", i), Text: old}
			return x.replaceStatement(
				f,
				at,
				statement,
				fmt.Sprintf("Replace statement %s of %s by this one.", statementName(at), describeDocument(f)),
			)
		}
	}
	return x.addStatement(f.Artefact, f.ArtefactARN, statement, fmt.Sprintf("Add this statement to %s.", describeDocument(f)))
}

// servesOthers reports whether a statement names principals that its replacement does
// not name. A deleted principal, which AWS shows by its id, does not count.
func servesOthers(old, replacement string) bool {
	kept := principalsOf(parseStatement(replacement))
	return slices.ContainsFunc(principalsOf(parseStatement(old)), func(p string) bool { return !isUniqueID(p) && !slices.Contains(kept, p) })
}

// freeSid returns a Sid that no statement of a kind of document has.
func (x *fixes) freeSid(kind, sid string) string {
	taken := func(want string) bool {
		for _, s := range x.docs.byKind[kind] {
			for i := range s.policy.Len() {
				if text, _, _ := s.policy.StatementText(i); parseStatement(text).Sid == want {
					return true
				}
			}
		}
		return false
	}
	for n := 2; ; n++ {
		if next := fmt.Sprintf("%s%d", sid, n); !taken(next) {
			return next
		}
	}
}

func withSid(statement, sid string) string {
	parts := parseStatement(statement)
	parts.Sid = sid
	data, err := json.MarshalIndent(parts, "", "  ")
	if err != nil {
		return statement
	}
	return string(data)
}

// setupStatement returns setup's Allow statement with an action; nil when setup writes none.
func (x *fixes) setupStatement(kind, action string) json.RawMessage {
	docs := map[string]docKind{
		report.ArtefactTrust: docTrust, report.ArtefactIdentity: docIdentity,
		report.ArtefactBucketPolicy: docBucket, report.ArtefactKeyPolicy: docKey,
	}
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

// plainAllow returns the smallest Allow statement for a document that setup does not
// write. Where the layer holds for other principals as well, it names the role.
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
	switch kind {
	case report.ArtefactEndpointPolicy:
		st["Principal"], st["Resource"] = "*", x.objectsARN()
		st["Condition"] = map[string]any{"ArnEquals": map[string]string{"aws:PrincipalArn": x.dest.Role}}
	case report.ArtefactSCP:
		st["Resource"] = "*"
		st["Condition"] = map[string]any{"ArnEquals": map[string]string{"aws:PrincipalArn": x.dest.Role}}
	}
	return json.RawMessage(statementJSON(st))
}

// externalIDFix sets the external id of the trust policy in the destination. Taking
// the condition out of the trust policy would let others in.
func (x *fixes) externalIDFix(f finding) report.Fix {
	want := ""
	if len(f.NearMisses) > 0 && len(f.NearMisses[0].Want) > 0 {
		want = f.NearMisses[0].Want[0]
	}
	return report.Fix{
		Kind: report.FixConfig, Target: x.dest.Role, Account: x.account(f.Account), Owner: x.owner(report.ArtefactConfig, report.Account{}),
		Text: "Set the external id of the trust policy in the destination: `session: {external_id: \"" + want + "\"}`. " +
			"Keep the condition in the trust policy: it protects the role.",
		Patch: json.RawMessage(statementJSON(map[string]any{"session": map[string]string{"external_id": want}})),
	}
}

func (x *fixes) addStatement(kind, target string, statement json.RawMessage, text string) report.Fix {
	account := x.accountOfKind(kind)
	f := report.Fix{
		Kind: report.FixAddStatement, Text: text, Target: orText(target, x.target(kind)), Patch: indented(statement),
		Account: account, Owner: x.owner(kind, account),
	}
	if kind == report.ArtefactIdentity || kind == report.ArtefactSourcePolicy {
		f.Policy = "brokerd-" + x.dest.Name + "-fix"
	}
	f.Command = x.command(kind, f)
	return f
}

func (x *fixes) replaceStatement(f finding, at *report.Statement, statement json.RawMessage, text string) report.Fix {
	account := x.account(f.Account)
	out := report.Fix{
		Kind: report.FixReplaceStatement, Text: text, Target: orText(f.ArtefactARN, x.target(f.Artefact)), Policy: f.Name,
		Patch: indented(statement), Statement: at, Account: account, Owner: x.owner(f.Artefact, account),
	}
	out.Command = x.command(f.Artefact, out)
	return out
}

func (x *fixes) removeStatement(f finding, text string) report.Fix {
	account := x.account(f.Account)
	out := report.Fix{
		Kind: report.FixRemoveStatement, Text: text, Target: orText(f.ArtefactARN, x.target(f.Artefact)), Policy: f.Name,
		Statement: f.Statement, Account: account, Owner: x.owner(f.Artefact, account),
	}
	out.Command = x.command(f.Artefact, out)
	return out
}

// described turns a fix into a description: there is nothing to paste.
func (x *fixes) described(fix report.Fix, text string) report.Fix {
	return report.Fix{Kind: report.FixSetting, Text: text, Target: fix.Target, Policy: fix.Policy, Account: fix.Account, Owner: fix.Owner}
}

func indented(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return raw
	}
	return b.Bytes()
}

// narrow replaces a statement that allows too much by setup's. A statement that
// serves other principals as well is not replaced.
func (x *fixes) narrow(f finding) report.Fix {
	patch := x.setupStatement(f.Artefact, "s3:PutObject")
	if patch == nil || !strings.Contains(f.Statement.Text, "s3:") && !strings.Contains(f.Statement.Text, `"*"`) {
		return report.Fix{}
	}
	where := fmt.Sprintf("statement %s of %s", statementName(f.Statement), describeDocument(f))
	out := x.replaceStatement(f, f.Statement, patch, "Replace "+where+" by this one, which allows an upload and no more.")
	if f.Artefact == report.ArtefactBucketPolicy && !slices.Equal(principalsOf(parseStatement(f.Statement.Text)), []string{x.dest.Role}) {
		return x.described(
			out,
			"Take the role and its actions out of "+where+", which serves other principals as well, and give the role a statement of its own: "+
				"`brokerctl setup plan` prints it.",
		)
	}
	return out
}

// webTrust returns a trust statement for the subject and the audience of the token.
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
