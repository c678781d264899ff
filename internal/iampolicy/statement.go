package iampolicy

import "strings"

// statement is a statement ready to be matched. It never changes after Parse.
type statement struct {
	sid          string
	deny         bool
	index        int
	line, column int
	start, end   int // in the document's text

	hasPrincipal bool
	notPrincipal bool
	principals   []principal
	rawPrincipal []string

	hasAction  bool
	notAction  bool
	actions    []string // lower case, compiled
	rawActions []string

	hasResource  bool
	notResource  bool
	resources    []resourcePattern
	rawResources []string

	conditions []condition
}

// resourcePattern is one value of a Resource element.
type resourcePattern struct {
	any   bool // "*"
	valid bool
	head  arnPattern // fields[4] unused when tail has variables
	tail  template
}

func compileResource(s string, vars bool) resourcePattern {
	if s == "*" {
		return resourcePattern{any: true, valid: true}
	}
	// Variables count only after the fifth colon.
	head, tail, n := s, "", 0
	for i := range len(s) {
		if s[i] == ':' {
			if n++; n == 5 {
				head, tail = s[:i+1], s[i+1:]
				break
			}
		}
	}
	if n < 5 {
		// IAM completes a short ARN with wildcards
		// (IAM User Guide, reference_policies_elements_resource.html).
		p, ok := compileARN(compileGlob(s), 2)
		return resourcePattern{valid: ok, head: p, tail: template{text: string([]byte{anyRun})}}
	}
	p, ok := compileARN(compileGlob(head), 6)
	return resourcePattern{valid: ok, head: p, tail: compileTemplate(tail, vars, true)}
}

func (p *resourcePattern) match(r *parsedRequest, ctx *requestContext) tri {
	switch {
	case p.any:
		return yes
	case !p.valid:
		return no
	case r.anyResource:
		// s3:ListAllMyBuckets and its like: an ARN that stands for everything
		// of the service covers it.
		star := string([]byte{anyRun})
		return truth(p.head.fields[1] == r.service && p.tail.pieces == nil && p.tail.text == star &&
			(p.head.fields[2] == "" || p.head.fields[2] == star) && (p.head.fields[3] == "" || p.head.fields[3] == star))
	case !p.head.matchHead(&r.arn):
		return no
	}
	want, known := p.tail.resolve(ctx)
	if known != yes {
		return known
	}
	return truth(glob(want, r.arn.Resource))
}

// compileAction makes an action pattern; "" for one that can match nothing. AWS
// does not trim: a space before or after belongs to the name.
func compileAction(s string) string {
	if s == "*" || strings.IndexByte(s, ':') > 0 {
		return compileGlob(strings.ToLower(s))
	}
	return ""
}

func (s *statement) matchAction(lower string) bool {
	for _, p := range s.actions {
		if p != "" && glob(p, lower) {
			return !s.notAction
		}
	}
	return s.notAction
}

func (s *statement) matchResource(e *evaluation, l Layer) tri {
	if !s.hasResource {
		// Only trust policies come without; anywhere else AWS refuses the
		// document, and the safe reading is the one that denies.
		return truth(s.deny || l == LayerResource && e.req.service == "sts")
	}
	result := no
	for i := range s.resources {
		if result = max(result, s.resources[i].match(&e.req, &e.ctx)); result == yes {
			break
		}
	}
	if s.notResource {
		return result.not()
	}
	return result
}

// usesPrincipal says whether the statements of a layer name principals.
func (l Layer) usesPrincipal() bool {
	return l == LayerResource || l == LayerVPCEndpoint || l == LayerRCP
}

// match decides one statement and says what failed first.
func (s *statement) match(e *evaluation, l Layer, t *StatementResult) tri {
	result, failed := yes, Element("")
	try := func(el Element, got tri) bool {
		if got < result {
			result, failed = got, el
		}
		return result == no
	}
	switch {
	case l.usesPrincipal() && s.hasPrincipal:
		got, grant := s.matchPrincipal(e, l)
		t.Grant = grant
		if try(ElementPrincipal, got) {
			break
		}
	case l == LayerResource, l == LayerVPCEndpoint, s.hasPrincipal:
		// A missing or misplaced Principal: AWS refuses the document.
		try(ElementPrincipal, truth(s.deny))
		t.Grant = GrantDirect
	}
	if result != no {
		_ = try(ElementAction, truth(s.matchAction(e.req.actionLower))) ||
			try(ElementResource, s.matchResource(e, l)) || s.matchConditions(e, t, try)
	}
	switch result {
	case yes:
		t.Outcome = Matched
	case maybe:
		t.Outcome = UnknownOutcome
	default:
		t.Outcome = NotMatched
	}
	if t.FailedOn = failed; failed != ElementCondition {
		s.explain(e, l, t)
	}
	if result == no || l != LayerResource || s.deny {
		t.Grant = GrantNone
	}
	return result
}

func (s *statement) matchConditions(e *evaluation, t *StatementResult, try func(Element, tri) bool) bool {
	worst := yes
	for i := range s.conditions {
		c := &s.conditions[i]
		result, got := c.eval(&e.ctx)
		if result < worst {
			worst = result
			t.Operator, t.Key, t.Want, t.Got = c.operator, c.key, c.want, got
		}
		if worst == no {
			break
		}
	}
	return try(ElementCondition, worst)
}

// explain fills in the values that the statement wants and those of the request.
func (s *statement) explain(e *evaluation, l Layer, t *StatementResult) {
	switch t.FailedOn {
	case ElementAction:
		t.Want, t.Got = s.rawActions, e.actionText[:]
	case ElementResource:
		t.Want, t.Got = s.rawResources, e.resourceText[:]
	case ElementPrincipal:
		t.Want, t.Got = s.rawPrincipal, e.principalText[:]
		for i := range s.principals {
			p := &s.principals[i]
			if p.kind == principalUniqueID && !s.deny {
				t.Note = "names a deleted user or role by its id: " + p.raw
			}
		}
		if l == LayerVPCEndpoint && !s.notPrincipal && s.namesCaller(&e.req.caller) {
			t.Note = "in the policy of a gateway endpoint an account is its root user alone; " +
				"use Principal \"*\" with a condition on aws:PrincipalArn"
		}
		if t.Outcome == UnknownOutcome && s.notPrincipal {
			t.Note = "NotPrincipal lists some, not all, of account, role and session; use Principal \"*\" with a condition on aws:PrincipalArn"
		}
	}
}

// namesCaller reports whether a principal of the statement would match the caller
// in any policy but that of a gateway endpoint.
func (s *statement) namesCaller(c *caller) bool {
	for i := range s.principals {
		if t, _ := s.principals[i].match(c); t == yes {
			return true
		}
	}
	return false
}
