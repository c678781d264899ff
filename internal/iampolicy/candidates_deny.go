package iampolicy

import (
	"encoding/json"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// exemption is a condition that describes the caller or its request, negated: a
// Deny statement with it does not match the caller.
type exemption struct{ operator, key, value string }

// lift proposes a change for every Deny statement of a layer that matched. Changes
// of the request come first: one header can avoid several statements.
func (f *fixer) lift(l *LayerResult) bool {
	found := false
	for _, ofRequest := range [...]bool{true, false} {
		for i := range l.Statements {
			t := &l.Statements[i]
			s := f.find(l, i)
			if s == nil || !s.deny || t.Outcome == NotMatched || t.Outcome == UnknownOutcome && !f.worst {
				continue
			}
			found = true
			switch change := f.changeToAvoid(s); {
			case f.avoided(s):
			case ofRequest && change != nil:
				f.out = append(f.out, f.requestChange(l.Layer, change, "the statement denies requests without it"))
			case !ofRequest && change == nil:
				f.exempt(l, i, s)
			}
		}
	}
	return found
}

// avoided reports whether the changes of the request so far avoid a statement.
func (f *fixer) avoided(s *statement) bool {
	req := *f.req.Request
	for i := range f.out {
		if f.out[i].Kind == ChangeRequest {
			req.Context = withKeys(req.Context, f.out[i].Context)
		}
	}
	parsed := parseRequest(&req)
	ctx := requestContext{req: &parsed}
	ctx.load(&req)
	for i := range s.conditions {
		if t, _ := s.conditions[i].eval(&ctx); t == no {
			return true
		}
	}
	return false
}

// changeToAvoid finds a value of one client key with which a Deny does not match.
func (f *fixer) changeToAvoid(s *statement) map[string][]string {
	if !f.approach.changeRequest {
		return nil
	}
	for i := range s.conditions {
		c := &s.conditions[i]
		if !clientKey(c.key) {
			continue
		}
		for _, values := range c.candidates() {
			if f.tryKey(c, values) == no {
				return map[string][]string{c.key: values}
			}
		}
	}
	return nil
}

// exempt narrows a Deny statement so that it no longer hits this caller. A Deny
// with several exemptions becomes one statement for each: together they deny
// every request that differs from the caller's in one of them.
func (f *fixer) exempt(l *LayerResult, i int, s *statement) {
	exemptions := f.exemptions()
	text := f.textOf(l, s)
	if len(exemptions) == 0 || text == "" {
		f.possible = false
		return
	}
	t := &l.Statements[i]
	for n, x := range exemptions {
		edited, ok := withExemption(text, x, n > 0)
		if !ok {
			f.possible = false
			return
		}
		fix := Fix{
			Kind: ReplaceStatement, Layer: l.Layer, Level: l.Level, LevelIndex: l.levelIndex, Account: l.Account, Target: f.target(l.Layer, l.Level),
			Policy: t.Policy, Document: f.documentOf(l, i), Sid: t.Sid, Index: t.Index, Line: t.Line, Statement: edited,
			Why: "the statement denies this caller; it is exempted by " + x.key,
		}
		if n > 0 {
			fix = Fix{
				Kind: AddStatement, Layer: l.Layer, Level: l.Level, LevelIndex: l.levelIndex, Account: l.Account, Target: f.target(l.Layer, l.Level),
				Statement: edited,
				Why:       "the same statement still denies every request whose " + x.key + " is another",
			}
		}
		f.out = append(f.out, fix)
	}
}

// exemptions are the conditions that single the caller out; none when nothing does.
func (f *fixer) exemptions() []exemption {
	var out []exemption
	c := &f.req.caller
	switch c.kind {
	case callerService:
		source := f.sourceKeys()
		if len(source) == 0 {
			return nil
		}
		out = append(out, exemption{"StringNotEquals", "aws:PrincipalServiceName", c.principalName})
		for _, p := range source {
			out = append(out, exemption{"StringNotEquals", p.key, p.value})
		}
	case callerFederated:
		claims := f.claims()
		for _, p := range claims {
			out = append(out, exemption{"StringNotEquals", p.key, p.value})
		}
	default:
		values, state := f.ctx.lookup("aws:principalarn")
		if state != keyPresent || len(values) != 1 {
			return nil
		}
		out = append(out, exemption{"ArnNotEquals", "aws:PrincipalArn", values[0]})
	}
	if f.approach.pin && len(out) > 0 {
		out = append(out, f.guardExemptions()...)
	}
	for _, x := range out {
		if strings.ContainsAny(x.value, "*?$") {
			return nil
		}
	}
	return out
}

// guardExemptions keep the Deny for requests that lack a guard which the
// documents mention and the request carries.
func (f *fixer) guardExemptions() []exemption {
	var out []exemption
	if f.mentions("aws:securetransport") {
		out = append(out, exemption{"Bool", "aws:SecureTransport", "false"})
	}
	for _, p := range f.pins(func(key string) bool {
		return key != "aws:securetransport" && (clientKey(key) || strings.HasPrefix(key, encryptionHeader))
	}) {
		out = append(out, exemption{"StringNotEquals", p.key, p.values[0]})
	}
	return out
}

// textOf is the text of a statement in its document.
func (f *fixer) textOf(l *LayerResult, s *statement) string {
	for _, d := range f.sc.Policies.documents(l.Layer, l.levelIndex) {
		for i := range d.Len() {
			if &d.statements[i] == s {
				return d.text[s.start:s.end]
			}
		}
	}
	return ""
}

// withExemption adds a condition to a statement. A copy has no Sid: it stands
// next to the original.
func withExemption(text string, x exemption, isCopy bool) (json.RawMessage, bool) {
	n, err := policytext.Read(text, policytext.MaxBytes)
	if err != nil || n.Kind != policytext.ObjectNode {
		return nil, false
	}
	if isCopy {
		for i := range n.Members {
			if n.Members[i].Key == "Sid" {
				n.Members = append(n.Members[:i:i], n.Members[i+1:]...)
				break
			}
		}
	}
	keys := n.Child("Condition").Child(x.operator)
	value := policytext.Node{Kind: policytext.StringNode, Text: x.value}
	for i := range keys.Members {
		m := &keys.Members[i]
		if !strings.EqualFold(m.Key, x.key) {
			continue
		}
		if x.operator == "Bool" {
			return nil, false // another value would be an alternative, not one more condition
		}
		if m.Value.Kind != policytext.ArrayNode {
			m.Value = policytext.Node{Kind: policytext.ArrayNode, Elems: []policytext.Node{m.Value}}
		}
		m.Value.Elems = append(m.Value.Elems, value)
		return json.RawMessage(n.JSON()), true
	}
	keys.Members = append(keys.Members, policytext.Member{Key: x.key, Value: value})
	return json.RawMessage(n.JSON()), true
}
