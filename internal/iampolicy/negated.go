package iampolicy

import (
	"fmt"
	"strings"
)

// Negations explains the negated elements of a statement: NotPrincipal, NotAction,
// NotResource, and conditions such as StringNotEquals. Each sentence says why the element
// fits the request or does not, for both outcomes: the values of such an element are
// those that it excludes. l is a layer of the result of Evaluate(sc), and n the index of
// one of its statements. An element whose outcome is unknown has no sentence.
func Negations(sc Scenario, l LayerResult, n int) []string {
	e := evaluation{sc: &sc}
	e.req = parseRequest(&sc.Request)
	if e.req.check() != nil || n < 0 || n >= len(l.Statements) {
		return nil
	}
	e.ctx.load(&sc.Request)
	e.ctx.req = &e.req
	s := e.find(&l, n)
	if s == nil {
		return nil
	}
	var out []string
	list := func(element string, values []string, fits tri, what, got string) {
		switch fits {
		case yes:
			out = append(out, fmt.Sprintf("%s excludes %s; %s %s is none of them, so the element fits", element, strings.Join(values, ", "),
				what, got))
		case no:
			out = append(out, fmt.Sprintf("%s excludes %s; %s %s is one of them, so the statement is not about it", element,
				strings.Join(values, ", "), what, got))
		}
	}
	if s.notPrincipal && l.Layer.usesPrincipal() {
		fits, _ := s.matchPrincipal(&e, l.Layer)
		if fits == yes && sc.Policies.Boundary != nil && s.matchNotPrincipal(&e.req.caller, false) != yes {
			out = append(out, fmt.Sprintf("NotPrincipal names %s; AWS applies such a Deny to every caller with a permissions boundary, "+
				"also to one that it names", strings.Join(s.rawPrincipal, ", ")))
			fits = maybe // said
		}
		list("NotPrincipal", s.rawPrincipal, fits, "the caller", sc.Request.Principal)
	}
	if s.notAction {
		list("NotAction", s.rawActions, truth(s.matchAction(e.req.actionLower)), "the action", sc.Request.Action)
	}
	if s.notResource {
		list("NotResource", s.rawResources, s.matchResource(&e, l.Layer), "the resource", sc.Request.Resource)
	}
	for i := range s.conditions {
		if text := s.conditions[i].negation(&e.ctx); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// negation explains a condition with a negated operator; "" for other conditions.
func (c *condition) negation(ctx *requestContext) string {
	if !c.op.negated {
		return ""
	}
	result, got := c.eval(ctx)
	name, values := c.operator+" "+c.key, strings.Join(c.want, ", ")
	outcome := map[tri]string{yes: "so the condition is true", no: "so the condition is false"}[result]
	switch {
	case result == maybe:
		return ""
	case len(got) == 0 && result == yes:
		return fmt.Sprintf("%s: the request has no %s, and a negated operator is true for an absent key", name, c.key)
	case len(got) == 0:
		return fmt.Sprintf("%s: the request has no %s, %s", name, c.key, outcome)
	case result == yes:
		return fmt.Sprintf("%s: the request has %s, which is not %s, %s", name, strings.Join(got, ", "), values, outcome)
	}
	return fmt.Sprintf("%s: the request has %s, which the condition excludes (%s), %s", name, strings.Join(got, ", "), values, outcome)
}

// FailedOnNegated reports whether statement n of a layer failed on a negated element: its
// Want then holds the values that the element excludes, and Got one of them.
func FailedOnNegated(sc Scenario, l LayerResult, n int) bool {
	t := &l.Statements[n]
	if t.FailedOn == ElementCondition {
		op, _, _, ok := parseOperator(t.Operator)
		return ok && op.negated
	}
	e := evaluation{sc: &sc}
	s := e.find(&l, n)
	return s != nil && (t.FailedOn == ElementPrincipal && s.notPrincipal || t.FailedOn == ElementAction && s.notAction ||
		t.FailedOn == ElementResource && s.notResource)
}
