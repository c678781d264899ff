package iampolicy

import (
	"slices"
	"strings"
)

// verdict is the sum of a layer: whether a statement allows, and whether a statement
// denies. For a resource policy grants holds, per Grant strength, how
// the caller is named.
type verdict struct {
	present     bool // takes part in the decision
	allow, deny tri
	grants      [4]tri // by Grant.strength
}

// decision tells the verdict of a layer on its own.
func (v *verdict) decision() Decision {
	switch {
	case v.deny == yes:
		return ExplicitDeny
	case v.allow == no && v.deny == no:
		return ImplicitDeny
	case v.deny == maybe || v.allow == maybe:
		return Unknown
	}
	return Allowed
}

// evaluation is the state of one Evaluate call.
type evaluation struct {
	sc  *Scenario
	req parsedRequest
	ctx requestContext

	identity, resource, boundary, session, endpoint verdict
	scp, rcp                                        verdict
	publicAccess                                    tri // blocks
	publicAccessWhy                                 string
	mandatory                                       bool // only the resource policy can let a caller in

	results                                 []LayerResult
	actionText, resourceText, principalText [1]string
}

// Evaluate decides a scenario. It never panics; a scenario that is not valid is
// denied, with the reason among the assumptions.
func Evaluate(sc Scenario) Result {
	e := evaluation{sc: &sc}
	return e.run()
}

func (e *evaluation) run() Result {
	sc := e.sc
	e.req = parseRequest(&sc.Request)
	r := Result{Name: sc.Name, Decision: ImplicitDeny, BlockedBy: []Layer{}, Layers: []LayerResult{}, Fixes: []Fix{}, Assumptions: []string{}}
	if err := e.req.check(); err != nil {
		r.Assumptions = append(r.Assumptions, "the request is not understood and therefore denied: "+err.Error())
		return r
	}
	e.ctx.load(&sc.Request)
	e.ctx.req = &e.req
	e.actionText[0], e.resourceText[0], e.principalText[0] = sc.Request.Action, sc.Request.Resource, sc.Request.Principal
	if e.req.actionLower == "sts:getcalleridentity" {
		r.Decision = Allowed
		r.Assumptions = append(r.Assumptions, "sts:GetCallerIdentity needs no permission and cannot be denied by a policy of the caller")
		return r
	}
	if why := e.req.neverAllowed(); why != "" {
		r.BlockedBy, r.RootCause = []Layer{LayerResource}, LayerResource
		r.Layers = []LayerResult{{Layer: LayerResource, Account: e.req.resourceAccount, Decision: ImplicitDeny, Reason: why}}
		return r
	}
	e.results = make([]LayerResult, 0, 4)
	e.weighAll()
	r.Layers = e.results
	best, worst := e.outcome(true), e.outcome(false)
	switch best {
	case worst:
		r.Decision = best
	case Allowed:
		r.Decision = Unknown
	default: // denied in any case; how is not known
		r.Decision = ImplicitDeny
	}
	if r.Decision == ImplicitDeny || r.Decision == ExplicitDeny {
		r.BlockedBy = e.blockers(true)
		e.rankNearMisses(r.BlockedBy)
		r.RootCause = e.rootCause(r.BlockedBy)
	}
	r.Assumptions = e.assumptions(r.Decision)
	return r
}

// weighAll looks at every layer that applies to the caller and the resource.
func (e *evaluation) weighAll() {
	p, r := &e.sc.Policies, &e.req
	account := r.caller.account
	if r.caller.kind.hasIdentity() && !e.providerToken() {
		e.weigh(&e.identity, LayerIdentity, "", account, p.Identity, true)
		if r.caller.kind == callerRoot {
			e.identity.allow = yes
			last := &e.results[len(e.results)-1]
			last.Decision, last.Reason = e.identity.decision(), "the root user may do everything in its account"
		} else {
			e.weigh(&e.boundary, LayerBoundary, "", account, p.Boundary, p.Boundary != nil)
		}
		e.weigh(&e.session, LayerSession, "", account, p.Session, p.Session != nil)
		if !r.caller.serviceLinked {
			e.weighSCPs()
		}
	}
	if !e.forwarded() {
		e.weigh(&e.endpoint, LayerVPCEndpoint, "", account, p.VPCEndpoint, p.VPCEndpoint != nil)
	}
	e.weighResource()
	if !r.caller.serviceLinked && rcpApplies(r.service) {
		e.weighRCPs()
	}
	e.weighPublicAccess()
}

// providerToken says whether the call is made with an identity provider's token
// alone: the caller's own policies have no part in it.
func (e *evaluation) providerToken() bool {
	return e.req.actionLower == "sts:assumerolewithwebidentity" || e.req.actionLower == "sts:assumerolewithsaml"
}

// forwarded says whether an AWS service makes the call for the caller: such a
// call does not pass the caller's VPC endpoint.
func (e *evaluation) forwarded() bool {
	if v, state := e.ctx.lookup("aws:viaawsservice"); state == keyPresent && strings.EqualFold(v[0], "true") {
		return true
	}
	_, state := e.ctx.lookup("kms:viaservice")
	return state == keyPresent
}

// weigh sums the statements of a layer up and appends its trace.
func (e *evaluation) weigh(v *verdict, l Layer, level, account string, policies []NamedPolicy, attached bool) {
	missing := len(e.sc.NotSupplied) > 0 && slices.Contains(e.sc.NotSupplied, l)
	if v.present = attached || missing; !v.present {
		return
	}
	n := 0
	for i := range policies {
		n += policies[i].Policy.Len()
	}
	res := LayerResult{Layer: l, Level: level, Account: account}
	if n > 0 {
		res.Statements = make([]StatementResult, 0, n)
	}
	for i := range policies {
		e.weighDocument(v, &res, l, policies[i].Name, policies[i].Policy)
	}
	if missing {
		v.missing()
		res.Reason = "not supplied"
	}
	res.Decision = v.decision()
	if l.mustAllow() && !missing && !allowsAnything(policies) {
		res.AllowsNothing = true
		res.Reason = "it has no Allow statement, so it allows nothing"
	}
	e.results = append(e.results, res)
}

// mustAllow reports whether a request needs an Allow of this layer where it is attached.
func (l Layer) mustAllow() bool {
	return l == LayerBoundary || l == LayerSession || l == LayerVPCEndpoint
}

func allowsAnything(policies []NamedPolicy) bool {
	for i := range policies {
		if d := policies[i].Policy; d != nil {
			for j := range d.statements {
				if !d.statements[j].deny {
					return true
				}
			}
		}
	}
	return false
}

// missing makes a verdict depend on policies that were not supplied.
func (v *verdict) missing() {
	v.allow, v.deny = max(v.allow, maybe), max(v.deny, maybe)
	for i := range v.grants {
		v.grants[i] = max(v.grants[i], maybe)
	}
}

func (e *evaluation) weighDocument(v *verdict, res *LayerResult, l Layer, name string, d *Document) {
	if d == nil {
		v.missing()
		res.Reason = "a policy without document"
		return
	}
	for i := range d.statements {
		s := &d.statements[i]
		res.Statements = append(res.Statements, StatementResult{
			Policy: name, Sid: s.sid, Index: s.index, Line: s.line, Column: s.column, Effect: effectText(s.deny),
		})
		t := &res.Statements[len(res.Statements)-1]
		result := s.match(e, l, t)
		if s.deny {
			v.deny = max(v.deny, result)
			continue
		}
		v.allow = max(v.allow, result)
		if g := t.Grant.strength(); result != no {
			v.grants[g] = max(v.grants[g], result)
		}
	}
}

func effectText(deny bool) string {
	if deny {
		return "Deny"
	}
	return "Allow"
}

// weighResource weighs the bucket policy, key policy or role trust policy.
func (e *evaluation) weighResource() {
	r := &e.req
	e.mandatory = r.service == "kms" && !r.anyResource && e.keyPolicyDecides() ||
		r.service == "sts" && len(r.arn.Resource) > 5 && r.arn.Service == "iam" && r.arn.Resource[:5] == "role/"
	v := &e.resource
	v.present = true
	missing := slices.Contains(e.sc.NotSupplied, LayerResource)
	d := e.sc.Policies.Resource
	if d == nil && !missing {
		if e.mandatory || !r.sameAccount {
			e.results = append(e.results, LayerResult{Layer: LayerResource, Account: r.resourceAccount, Decision: ImplicitDeny, Reason: "no policy"})
		}
		return
	}
	res := LayerResult{Layer: LayerResource, Account: r.resourceAccount}
	if d != nil {
		res.Statements = make([]StatementResult, 0, len(d.statements))
		e.weighDocument(v, &res, LayerResource, "", d)
	}
	if missing {
		v.missing()
		res.Reason = "not supplied"
	}
	res.Decision = v.decision()
	e.results = append(e.results, res)
}

// keyPolicyDecides is false for aliases, which have no policy of their own,
// unless the scenario comes with the policy of the key behind the alias.
func (e *evaluation) keyPolicyDecides() bool {
	const alias = "alias/"
	name := e.req.arn.Resource
	if len(name) < len(alias) || name[:len(alias)] != alias {
		return true
	}
	switch e.req.actionLower {
	case "kms:createalias", "kms:deletealias", "kms:updatealias":
		return e.sc.Policies.Resource != nil
	}
	return true
}

// outcome decides with every unknown at its best or at its worst.
func (e *evaluation) outcome(best bool) Decision {
	for _, v := range [...]*verdict{&e.identity, &e.boundary, &e.session, &e.scp, &e.endpoint, &e.resource, &e.rcp} {
		if v.present && e.denies(v, best) {
			return ExplicitDeny
		}
	}
	if !e.endpointOpen(best) || !e.scpOpen(best) || e.publicAccessBlocks(best) || !e.granted(best) {
		return ImplicitDeny
	}
	return Allowed
}

func (e *evaluation) denies(v *verdict, best bool) bool {
	if best {
		return v.deny == yes
	}
	return v.deny != no
}

func holds(t tri, best bool) bool { return t == yes || best && t == maybe }

func (e *evaluation) endpointOpen(best bool) bool {
	return !e.endpoint.present || holds(e.endpoint.allow, best)
}
func (e *evaluation) scpOpen(best bool) bool { return !e.scp.present || holds(e.scp.allow, best) }

func (e *evaluation) publicAccessBlocks(best bool) bool {
	return e.publicAccess == yes || !best && e.publicAccess == maybe
}

// limitsOpen says whether boundary and session policy let the request through.
func (e *evaluation) limitsOpen(best bool) bool {
	return (!e.boundary.present || holds(e.boundary.allow, best)) && (!e.session.present || holds(e.session.allow, best))
}

// granted reports whether the policies of both sides let the caller in, SCPs and
// endpoints aside.
func (e *evaluation) granted(best bool) bool {
	r := &e.req
	if r.caller.kind == callerRoot && r.actionLower == "sts:assumerole" {
		return false // the API refuses root users, whatever the policies say
	}
	if !e.mayCall() {
		return false
	}
	grant := func(g Grant) bool { return holds(e.resource.grants[g.strength()], best) }
	named := grant(GrantAccount) || grant(GrantRole) || grant(GrantDirect)
	if !e.identity.present {
		return named
	}
	own := holds(e.identity.allow, best) && e.limitsOpen(best)
	switch {
	case !r.sameAccount:
		return own && named
	case grant(GrantDirect):
		return true
	case grant(GrantRole) && e.limitsOpen(best):
		return true
	}
	return own && (named || !e.mandatory)
}

// mayCall reports whether a caller of this kind can make the call at all. S3 takes
// unsigned requests, KMS and STS do not. A provider's token is exchanged for a
// session, and makes no other call.
func (e *evaluation) mayCall() bool {
	switch e.req.caller.kind {
	case callerAnonymous:
		return e.req.service == "s3"
	case callerFederated:
		return e.req.service == "sts" // with sts:TagSession and sts:SetSourceIdentity
	}
	return true
}

// blockers lists the layers that stand in the way: those that deny, then those
// that do not allow although they must, each in the order of layers.
func (e *evaluation) blockers(best bool) []Layer {
	out := []Layer{}
	verdicts := [...]*verdict{&e.identity, &e.boundary, &e.session, &e.scp, &e.endpoint, &e.resource, &e.rcp}
	for i, v := range verdicts {
		if v.present && e.denies(v, best) {
			out = append(out, layers[i])
		}
	}
	add := func(l Layer, blocked bool) {
		if blocked && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	identity, limits, resource := e.lacking(best)
	add(LayerIdentity, identity)
	add(LayerBoundary, limits && e.boundary.present && !holds(e.boundary.allow, best))
	add(LayerSession, limits && e.session.present && !holds(e.session.allow, best))
	add(LayerSCP, !e.scpOpen(best))
	add(LayerVPCEndpoint, !e.endpointOpen(best))
	add(LayerResource, resource)
	add(LayerPublicAccess, e.publicAccessBlocks(best))
	return out
}

// lacking says which allowances are missing. limits stands for boundary and
// session policy, whichever of them does not allow.
func (e *evaluation) lacking(best bool) (identity, limits, resource bool) {
	if e.granted(best) {
		return false, false, false
	}
	grant := func(g Grant) bool { return holds(e.resource.grants[g.strength()], best) }
	named := grant(GrantAccount) || grant(GrantRole) || grant(GrantDirect)
	allowed := holds(e.identity.allow, best)
	switch {
	case !e.identity.present:
		return false, false, !named || !e.mayCall()
	case e.req.caller.kind == callerRoot && e.req.actionLower == "sts:assumerole":
		return true, false, false
	case !e.req.sameAccount:
		return !allowed, true, !named
	case e.mandatory && !named:
		return false, true, true
	case grant(GrantRole):
		return false, true, false
	}
	return !allowed, true, false
}
