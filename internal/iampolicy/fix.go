package iampolicy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
)

// fixRounds bounds the search: one change can uncover the next obstacle, as
// taking a public statement away uncovers that nothing else let the caller in.
const fixRounds = 4

// fixes proposes changes that together make the scenario allowed, or none.
// Changes of the request are preferred: a header that the policy asks for, or
// an external id, must not be answered by weakening the policy.
func (e *evaluation) fixes(blocked []Layer) []Fix {
	for _, changeRequest := range [...]bool{true, false} {
		if out, ok := e.search(blocked, changeRequest); ok {
			return out
		}
	}
	return []Fix{}
}

func (e *evaluation) search(blocked []Layer, changeRequest bool) ([]Fix, bool) {
	all := []Fix{}
	cur := e
	for range fixRounds {
		f := fixer{evaluation: cur, changeRequest: changeRequest}
		found := f.round(blocked)
		if len(found) == 0 {
			return nil, false
		}
		all = append(all, found...)
		sc, err := apply(*e.sc, all, true)
		if err != nil {
			return nil, false
		}
		cur = &evaluation{sc: &sc}
		r := cur.run(false)
		if r.Decision == Allowed || r.Decision == Unknown {
			return all, true
		}
		blocked = r.BlockedBy
	}
	return nil, false
}

type fixer struct {
	*evaluation
	changeRequest bool
	out           []Fix
}

func (f *fixer) round(blocked []Layer) []Fix {
	for _, l := range blocked {
		if l == LayerPublicAccess {
			f.publicAccessFix()
			continue
		}
		denied := false
		for i := range f.results {
			if f.results[i].Layer == l {
				denied = f.lift(&f.results[i]) || denied
			}
		}
		if !denied {
			f.allow(l)
		}
	}
	return f.out
}

// lift proposes a change for every Deny statement that matched.
func (f *fixer) lift(l *LayerResult) bool {
	found := false
	for i := range l.Statements {
		t := &l.Statements[i]
		s := f.find(l, i)
		if s == nil || !s.deny || t.Outcome != Matched {
			continue
		}
		found = true
		fix := Fix{Layer: l.Layer, Level: l.Level, LevelIndex: l.levelIndex, Account: l.Account, Target: f.target(l.Layer, l.Level), Policy: t.Policy, Document: f.documentOf(l, i), Sid: t.Sid, Index: t.Index, Line: t.Line}
		if change := f.changeToAvoid(s); change != nil {
			fix.Kind, fix.Context, fix.Target, fix.Account = ChangeRequest, change, "the request", f.req.caller.account
			fix.Why = "the statement denies requests without it"
		} else if edited, ok := f.exempt(l, s); ok {
			fix.Kind, fix.Statement = ReplaceStatement, edited
			fix.Why = "the statement denies this caller; it is exempted by aws:PrincipalArn"
		} else {
			fix.Kind, fix.Why = RemoveStatement, "the statement denies the request"
		}
		f.out = append(f.out, fix)
	}
	return found
}

// documentOf gives the place of the n-th traced statement's policy in its layer.
func (f *fixer) documentOf(l *LayerResult, n int) int {
	for i, d := range f.sc.Policies.documents(l.Layer, l.levelIndex) {
		if n < d.Len() {
			return i
		}
		n -= d.Len()
	}
	return 0
}

// clientKey lists the condition keys whose values the caller chooses.
func clientKey(key string) bool {
	key = strings.ToLower(key)
	return key == "sts:externalid" || key == "aws:securetransport" || strings.HasPrefix(key, "s3:x-amz-") && !strings.HasPrefix(key, "s3:x-amz-content")
}

// changeToAvoid finds a value of one client key with which a Deny does not match.
func (f *fixer) changeToAvoid(s *statement) map[string][]string {
	if !f.changeRequest {
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

// candidates are values worth trying: those that the policy names, and none.
func (c *condition) candidates() [][]string {
	var out [][]string
	if c.op.kind == opBool {
		out = append(out, []string{"true"})
	}
	if c.op.kind != opNull {
		for i, w := range c.want {
			if c.values[i].template.pieces == nil && !strings.ContainsAny(w, "*?") {
				out = append(out, []string{w})
			}
		}
	}
	return append(out, []string{})
}

// tryKey evaluates a condition with another value of its key.
func (f *fixer) tryKey(c *condition, values []string) tri {
	req := *f.req.Request
	req.Context = withKeys(req.Context, map[string][]string{c.key: values})
	parsed := parseRequest(&req)
	ctx := requestContext{req: &parsed}
	ctx.load(&req)
	t, _ := c.eval(&ctx)
	return t
}

// withKeys sets condition keys in a copy; an empty list takes the key away.
func withKeys(context, change map[string][]string) map[string][]string {
	out := maps.Clone(context)
	if out == nil {
		out = map[string][]string{}
	}
	for k, v := range change {
		for old := range out {
			if sameKey(old, k) {
				delete(out, old)
			}
		}
		if len(v) > 0 {
			out[k] = v
		}
	}
	return out
}

// exempt adds the caller to the statement's exceptions. In the caller's own
// policies an exception by name makes no sense: there the statement goes.
func (f *fixer) exempt(l *LayerResult, s *statement) (json.RawMessage, bool) {
	if !l.Layer.usesPrincipal() && l.Layer != LayerSCP {
		return nil, false
	}
	values, state := f.ctx.lookup("aws:principalarn")
	if state != keyPresent || len(values) != 1 || strings.ContainsAny(values[0], "*?$") {
		return nil, false
	}
	docs := f.sc.Policies.documents(l.Layer, l.levelIndex)
	for _, d := range docs {
		for i := range d.Len() {
			if &d.statements[i] == s {
				return exemptPrincipal(d.text[s.start:s.end], values[0])
			}
		}
	}
	return nil, false
}

// allow proposes what a layer lacks: a value in the request when a statement
// waits for it, else a statement.
func (f *fixer) allow(l Layer) {
	for i := range f.results {
		r := &f.results[i]
		if r.Layer != l || l == LayerSCP && r.Decision == Allowed {
			continue
		}
		if change := f.changeToMatch(r); change != nil {
			f.out = append(f.out, Fix{Kind: ChangeRequest, Layer: l, Target: "the request", Account: f.req.caller.account, Context: change, Why: "a statement allows requests that carry it"})
			return
		}
		f.add(r)
		if l != LayerSCP {
			return
		}
	}
}

func (f *fixer) changeToMatch(l *LayerResult) map[string][]string {
	if !f.changeRequest {
		return nil
	}
	for _, n := range l.NearMisses {
		s := f.find(l, n)
		if s == nil || l.Statements[n].FailedOn != ElementCondition {
			continue
		}
		change, ok := map[string][]string{}, true
		for i := range s.conditions {
			c := &s.conditions[i]
			if t, _ := c.eval(&f.ctx); t == yes {
				continue
			}
			at := -1
			candidates := c.candidates()
			if clientKey(c.key) {
				at = slices.IndexFunc(candidates, func(v []string) bool { return f.tryKey(c, v) == yes })
			}
			if ok = ok && at >= 0; !ok {
				break
			}
			change[c.key] = candidates[at]
		}
		if ok && len(change) > 0 {
			return change
		}
	}
	return nil
}

func (f *fixer) add(r *LayerResult) {
	l, level := r.Layer, r.Level
	if f.req.caller.kind == callerRoot && (l == LayerIdentity || f.req.actionLower == "sts:assumerole") {
		return
	}
	f.out = append(f.out, Fix{
		Kind: AddStatement, Layer: l, Level: level, LevelIndex: r.levelIndex, Account: r.Account, Target: f.target(l, level),
		Statement: f.allowStatement(l), Why: "no statement allows " + f.req.Action,
	})
}

// target names what the change is made to.
func (f *fixer) target(l Layer, level string) string {
	switch l {
	case LayerIdentity, LayerBoundary:
		return f.req.caller.principalARN
	case LayerSession:
		return "the session policy of " + f.req.Principal
	case LayerSCP, LayerRCP:
		return level
	case LayerVPCEndpoint:
		return "the policy of the VPC endpoint"
	}
	if f.req.service == "s3" && f.req.arn.Service == "s3" {
		bucket, _, _ := strings.Cut(f.req.arn.Resource, "/")
		return awsarn.Bucket(f.req.arn.Partition, bucket)
	}
	return f.req.Resource
}

// allowStatement is the smallest statement that allows the request.
func (f *fixer) allowStatement(l Layer) json.RawMessage {
	type object = map[string]any
	s := struct {
		Effect    string
		Principal any    `json:",omitempty"`
		Action    string `json:",omitempty"`
		Resource  string `json:",omitempty"`
		Condition object `json:",omitempty"`
	}{Effect: "Allow", Action: f.req.Action}
	condition := object{}
	switch l {
	case LayerResource:
		s.Principal = f.principalElement()
	case LayerVPCEndpoint:
		// Gateway endpoints take no principal but "*".
		s.Principal = "*"
		if arn := f.req.caller.principalARN; arn != "" {
			condition["ArnEquals"] = object{"aws:PrincipalArn": arn}
		}
	}
	switch {
	case l == LayerResource && f.req.service == "sts":
	case l == LayerResource && f.req.service == "kms", f.req.anyResource:
		s.Resource = "*"
	default:
		literal := l == LayerResource && f.sc.Policies.Resource.Len() > 0 && f.sc.Policies.Resource.version != versionVariables
		s.Resource = escapeResource(f.req.Resource, literal)
	}
	if via, state := f.ctx.lookup("kms:viaservice"); state == keyPresent && f.req.service == "kms" && l != LayerSCP {
		condition["StringEquals"] = object{"kms:ViaService": via[0]}
	}
	if len(condition) > 0 {
		s.Condition = condition
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	return text
}

func (f *fixer) principalElement() any {
	c := &f.req.caller
	switch c.kind {
	case callerAnonymous:
		return "*"
	case callerService:
		return map[string]string{"Service": c.principalName}
	case callerFederated:
		return map[string]string{"Federated": c.principalName}
	}
	return map[string]string{"AWS": c.principalARN}
}

// escapeResource makes a resource of a request a pattern that matches just it.
func escapeResource(s string, literal bool) string {
	if literal || !strings.ContainsAny(s, "*?$") {
		return s
	}
	return strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}").Replace(s)
}

// publicAccessFix keeps the block and takes away what it objects to, unless the
// caller can come in by nothing else.
func (f *fixer) publicAccessFix() {
	base := Fix{Layer: LayerPublicAccess, Account: f.req.resourceAccount, Target: f.target(LayerResource, ""), Why: f.publicAccessWhy}
	if f.sc.PublicAccessBlock.BlockPublicAcls && f.publicACLHeader() {
		base.Kind, base.Target, base.Account = ChangeRequest, "the request", f.req.caller.account
		base.Context = map[string][]string{}
		for _, k := range [...]string{"s3:x-amz-acl", "s3:x-amz-grant-read", "s3:x-amz-grant-write", "s3:x-amz-grant-read-acp", "s3:x-amz-grant-write-acp", "s3:x-amz-grant-full-control"} {
			base.Context[k] = []string{}
		}
		f.out = append(f.out, base)
		return
	}
	if f.req.caller.kind == callerAnonymous {
		base.Kind, base.Setting = ChangeSetting, "restrict_public_buckets=false"
		f.out = append(f.out, base)
		return
	}
	d := f.sc.Policies.Resource
	for i := range d.Len() {
		if s := &d.statements[i]; s.public() {
			fix := base
			fix.Kind, fix.Layer, fix.Sid, fix.Index, fix.Line = RemoveStatement, LayerResource, s.sid, s.index, s.line
			f.out = append(f.out, fix)
		}
	}
}
