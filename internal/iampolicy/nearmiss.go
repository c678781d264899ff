package iampolicy

import "slices"

// rankNearMisses finds, in the layers that block, the Allow statements that
// came closest: the fewest elements failed.
func (e *evaluation) rankNearMisses(blocked []Layer) {
	for i := range e.results {
		l := &e.results[i]
		if l.Decision == Allowed || !slices.Contains(blocked, l.Layer) {
			continue
		}
		for j := range l.Statements {
			t := &l.Statements[j]
			s := e.find(l, j)
			if s == nil || s.deny || t.Outcome != NotMatched {
				continue
			}
			t.Distance = s.distance(e, l.Layer)
			l.NearMisses = append(l.NearMisses, j)
		}
		slices.SortStableFunc(l.NearMisses, func(a, b int) int {
			return l.Statements[a].Distance - l.Statements[b].Distance
		})
	}
}

// rootCause picks the layer to look at first.
func (e *evaluation) rootCause(blocked []Layer) Layer {
	best, distance := Layer(""), 1<<30
	for _, l := range blocked {
		if best == "" {
			best = l
		}
		for i := range e.results {
			r := &e.results[i]
			switch {
			case r.Layer != l:
			case r.Decision == ExplicitDeny:
				return l
			case len(r.NearMisses) > 0 && r.Statements[r.NearMisses[0]].Distance < distance:
				best, distance = l, r.Statements[r.NearMisses[0]].Distance
			}
		}
	}
	return best
}

// find gives the statement behind the trace at index n: traces stand in the
// order of the documents' statements.
func (e *evaluation) find(l *LayerResult, n int) *statement {
	for _, d := range e.sc.Policies.documents(l.Layer, l.levelIndex) {
		if n < d.Len() {
			return &d.statements[n]
		}
		n -= d.Len()
	}
	return nil
}

// documents lists the documents of a layer in the order in which they are weighed.
func (p *PolicySet) documents(l Layer, level int) []*Document {
	var list []NamedPolicy
	switch l {
	case LayerIdentity:
		list = p.Identity
	case LayerBoundary:
		list = p.Boundary
	case LayerSession:
		list = p.Session
	case LayerVPCEndpoint:
		list = p.VPCEndpoint
	case LayerResource:
		return []*Document{p.Resource}
	case LayerSCP, LayerRCP:
		levels := p.ServiceControl
		if l == LayerRCP {
			levels = p.ResourceControl
		}
		if level < len(levels) {
			list = levels[level].Policies
		}
	}
	out := make([]*Document, len(list))
	for i := range list {
		out[i] = list[i].Policy
	}
	return out
}

// distance counts the elements that the request does not satisfy; every failed
// condition counts.
func (s *statement) distance(e *evaluation, l Layer) int {
	n := 0
	count := func(t tri) {
		if t == no {
			n++
		}
	}
	if l.usesPrincipal() {
		t, _ := s.matchPrincipal(e, l)
		count(t)
	}
	count(truth(s.matchAction(e.req.actionLower)))
	count(s.matchResource(e, l))
	for i := range s.conditions {
		t, _ := s.conditions[i].eval(&e.ctx)
		count(t)
	}
	return n
}
