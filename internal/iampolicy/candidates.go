package iampolicy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// candidateRounds bounds the search: one change can uncover the next obstacle, as
// removing a public statement uncovers that no other statement names the caller.
const candidateRounds = 4

// approach is one way to search for a fix.
type approach struct {
	changeRequest bool // prefer a change of the request to a change of a policy
	pin           bool // repeat in new statements every key that the documents mention
}

// Candidates lists changes that make a denied scenario allowed, in the order in
// which they are preferred. The fixes of one candidate belong together. A
// candidate is not proven: it can also let others in. Package fixproof proves it,
// and offers it only then.
//
// A change of the request comes first: a policy that asks for a header, an
// external id or MFA is not answered by weakening the policy. Deny statements are
// narrowed for the caller, never removed. New statements keep the conditions of
// the nearest statement. There is no candidate that lets an anonymous caller in.
func Candidates(sc Scenario) [][]Fix {
	e := &evaluation{sc: &sc}
	r := e.run()
	if r.Decision != ImplicitDeny && r.Decision != ExplicitDeny {
		return nil
	}
	if e.req.neverAllowed() != "" {
		return nil
	}
	switch e.req.caller.kind {
	case callerAnonymous, callerInvalid:
		return nil
	case callerFederated:
		if e.req.service != "sts" {
			return nil // a token is exchanged for a session; it makes no other call
		}
	}
	var out [][]Fix
	for _, a := range [...]approach{{true, false}, {true, true}, {false, false}, {false, true}} {
		fixes, ok := e.search(r.BlockedBy, a)
		if ok && !slices.ContainsFunc(out, func(known []Fix) bool { return sameFixes(known, fixes) }) {
			out = append(out, fixes)
		}
	}
	return out
}

func sameFixes(a, b []Fix) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func (e *evaluation) search(blocked []Layer, a approach) ([]Fix, bool) {
	all := []Fix{}
	cur, worst := e, false
	for range candidateRounds {
		f := fixer{evaluation: cur, approach: a, possible: true, worst: worst}
		f.round(blocked)
		if len(f.out) == 0 || !f.possible {
			return nil, false
		}
		all = append(all, f.out...)
		sc, err := apply(*e.sc, all, true)
		if err != nil {
			return nil, false
		}
		cur = &evaluation{sc: &sc}
		r := cur.run()
		if r.Decision == Allowed || r.Decision == Unknown && len(sc.NotSupplied)+len(sc.Request.UnknownContext) > 0 {
			return all, true
		}
		if blocked, worst = r.BlockedBy, r.Decision == Unknown; worst {
			blocked = cur.blockers(false)
			cur.rankNearMisses(blocked)
		}
	}
	return nil, false
}

// fixer proposes the changes of one round.
type fixer struct {
	*evaluation
	approach approach
	out      []Fix
	possible bool // false once an obstacle has no narrow answer
	worst    bool // a Deny statement of which it is not known whether it matches is an obstacle
}

func (f *fixer) round(blocked []Layer) {
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

// clientKey reports whether the caller chooses the value of a condition key.
func clientKey(key string) bool {
	key = strings.ToLower(key)
	return key == "sts:externalid" || key == "aws:securetransport" || key == "aws:multifactorauthpresent" ||
		strings.HasPrefix(key, "s3:x-amz-") && !strings.HasPrefix(key, "s3:x-amz-content")
}

// timeKey reports whether a condition key changes by itself: a statement that is
// over is not answered by one that never ends.
func timeKey(key string) bool {
	switch strings.ToLower(key) {
	case "aws:currenttime", "aws:epochtime", "aws:tokenissuetime", "aws:multifactorauthage":
		return true
	}
	return false
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

// requestChange is a fix that the caller makes.
func (f *fixer) requestChange(l Layer, change map[string][]string, why string) Fix {
	return Fix{Kind: ChangeRequest, Layer: l, Target: "the request", Account: f.req.caller.account, Context: change, Why: why}
}

// target names the document or the request that the change is made to.
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
		return "arn:" + f.req.arn.Partition + ":s3:::" + bucket
	}
	return f.req.Resource
}

// publicAccessFix keeps the public-access block and removes the header or the
// statements that it objects to.
func (f *fixer) publicAccessFix() {
	if f.sc.PublicAccessBlock.BlockPublicAcls && f.publicACLHeader() {
		change := map[string][]string{}
		for _, k := range [...]string{"s3:x-amz-acl", "s3:x-amz-grant-read", "s3:x-amz-grant-write", "s3:x-amz-grant-read-acp",
			"s3:x-amz-grant-write-acp", "s3:x-amz-grant-full-control"} {
			change[k] = []string{}
		}
		f.out = append(f.out, f.requestChange(LayerPublicAccess, change, f.publicAccessWhy))
		return
	}
	d := f.sc.Policies.Resource
	for i := range d.Len() {
		if s := &d.statements[i]; s.public() {
			f.out = append(f.out, Fix{
				Kind: RemoveStatement, Layer: LayerResource, Account: f.req.resourceAccount, Target: f.target(LayerResource, ""),
				Sid: s.sid, Index: s.index, Line: s.line, Why: f.publicAccessWhy,
			})
		}
	}
}
