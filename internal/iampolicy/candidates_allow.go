package iampolicy

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
)

const encryptionHeader = "s3:x-amz-server-side-encryption"

// allow proposes a change for a layer that does not allow the request: a value in
// the request when a statement asks for one, else a new statement.
func (f *fixer) allow(l Layer) {
	for i := range f.results {
		r := &f.results[i]
		if r.Layer != l || l == LayerSCP && r.Decision == Allowed {
			continue
		}
		if change := f.changeToMatch(r); change != nil {
			f.out = append(f.out, f.requestChange(l, change, "a statement allows requests that carry it"))
			return
		}
		f.add(r)
		if l != LayerSCP {
			return
		}
	}
}

// changeToMatch finds client keys with which an Allow statement matches.
func (f *fixer) changeToMatch(l *LayerResult) map[string][]string {
	if !f.approach.changeRequest {
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

// add proposes an Allow statement for the request.
func (f *fixer) add(r *LayerResult) {
	l, c := r.Layer, &f.req.caller
	onResource := l == LayerResource || l == LayerVPCEndpoint
	if c.kind == callerRoot && (l == LayerIdentity || f.req.actionLower == "sts:assumerole") ||
		onResource && f.req.anyResource && l == LayerResource {
		f.possible = false // no policy can allow it, or there is no resource to write one for
		return
	}
	b := allowBuilder{f: f, layer: l}
	if !b.build(r) {
		f.possible = false
		return
	}
	if len(b.change) > 0 {
		f.out = append(f.out, f.requestChange(l, b.change, "the nearest statement asks for it"))
	}
	f.out = append(f.out, Fix{
		Kind: AddStatement, Layer: l, Level: r.Level, LevelIndex: r.levelIndex, Account: r.Account, Target: f.target(l, r.Level),
		Statement: b.statement(), Why: b.why(),
	})
}

// allowBuilder writes one Allow statement.
type allowBuilder struct {
	f       *fixer
	layer   Layer
	change  map[string][]string // client keys that the request has to carry
	dropped []string            // conditions of the nearest statement that the request cannot meet
	conds   []boundKey
}

// boundKey is a condition of the new statement.
type boundKey struct {
	operator, key string
	values        []string
}

func (b *allowBuilder) has(key string) bool {
	return slices.ContainsFunc(b.conds, func(c boundKey) bool { return sameKey(c.key, key) })
}

func (b *allowBuilder) bind(operator, key string, values ...string) {
	for _, c := range b.conds {
		if c.operator == operator && sameKey(c.key, key) {
			return
		}
	}
	b.conds = append(b.conds, boundKey{operator, key, values})
}

// build collects the conditions; false when the statement would not be narrow.
func (b *allowBuilder) build(r *LayerResult) bool {
	if !b.principal() {
		return false
	}
	if s := b.f.nearest(r); s != nil && !b.keep(s) {
		return false
	}
	f := b.f
	if via, state := f.ctx.lookup("kms:viaservice"); state == keyPresent && f.req.service == "kms" && b.layer != LayerSCP &&
		!b.has("kms:ViaService") {
		b.bind("StringEquals", "kms:ViaService", via[0])
	}
	if v, state := f.ctx.lookup("aws:securetransport"); state == keyPresent && !f.forwarded() && strings.EqualFold(v[0], "true") &&
		!b.has("aws:SecureTransport") {
		b.bind("Bool", "aws:SecureTransport", "true")
	}
	if f.approach.pin {
		b.pinAll()
	}
	return true
}

// principal binds the statement to this caller where the layer has no principal
// of its own, or one that is too wide.
func (b *allowBuilder) principal() bool {
	c := &b.f.req.caller
	switch b.layer {
	case LayerVPCEndpoint, LayerSCP, LayerBoundary:
		// Gateway endpoints take no principal but "*"; SCPs and boundaries are shared.
		if c.principalARN == "" {
			return false
		}
		b.bind("ArnEquals", "aws:PrincipalArn", c.principalARN)
	case LayerResource:
		switch c.kind {
		case callerRoot: // as a principal, the root user stands for its whole account
			b.bind("ArnEquals", "aws:PrincipalArn", c.principalARN)
		case callerService:
			source := b.f.sourceKeys()
			for _, p := range source {
				b.bind("StringEquals", p.key, p.value)
			}
			return len(source) > 0
		case callerFederated:
			claims := b.f.claims()
			for _, p := range claims {
				b.bind("StringEquals", p.key, p.value)
			}
			return len(claims) > 0
		}
	}
	return true
}

// nearest is the Allow statement that came closest and is about the same action.
func (f *fixer) nearest(r *LayerResult) *statement {
	for _, n := range r.NearMisses {
		if s := f.find(r, n); s != nil && s.matchAction(f.req.actionLower) {
			return s
		}
	}
	return nil
}

// keep takes the conditions of the nearest statement over: those that the request
// meets as they are, those that it misses adapted to the request.
func (b *allowBuilder) keep(s *statement) bool {
	f := b.f
	for i := range s.conditions {
		c := &s.conditions[i]
		t, got := c.eval(&f.ctx)
		switch {
		case b.has(c.key):
		case t == yes:
			b.bind(c.operator, c.key, c.want...)
		case timeKey(c.key):
			return false
		case clientKey(c.key):
			candidates := c.candidates()
			at := slices.IndexFunc(candidates, func(v []string) bool { return f.tryKey(c, v) == yes })
			if at < 0 || !f.approach.changeRequest {
				return false
			}
			if b.change == nil {
				b.change = map[string][]string{}
			}
			b.change[c.key] = candidates[at]
			b.bind(c.operator, c.key, c.want...)
		case len(got) > 0:
			b.pin(c.key, got)
		default:
			b.dropped = append(b.dropped, c.key)
		}
	}
	return true
}

// pin binds a key to the values of the request.
func (b *allowBuilder) pin(key string, values []string) {
	for _, v := range values {
		if strings.Contains(v, "${") {
			return
		}
	}
	lower := strings.ToLower(key)
	switch {
	case len(values) > 1:
		b.bind("ForAllValues:StringEquals", key, values...)
		b.bind("Null", key, "false")
	case isBool(values[0]) && strings.HasPrefix(lower, "aws:"):
		b.bind("Bool", key, strings.ToLower(values[0]))
	case isAddress(values[0]) && (lower == "aws:sourceip" || lower == "aws:vpcsourceip"):
		b.bind("IpAddress", key, values[0])
	default:
		b.bind("StringEquals", key, values[0])
	}
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// statement writes the Allow statement.
func (b *allowBuilder) statement() json.RawMessage {
	f := b.f
	type conditions = map[string]map[string]any
	s := struct {
		Effect    string
		Principal any        `json:",omitempty"`
		Action    string     `json:",omitempty"`
		Resource  string     `json:",omitempty"`
		Condition conditions `json:",omitempty"`
	}{Effect: "Allow", Action: f.req.Action}
	switch b.layer {
	case LayerResource:
		s.Principal = f.principalElement()
	case LayerVPCEndpoint:
		s.Principal = "*"
	}
	switch {
	case b.layer == LayerResource && f.req.service == "sts":
	case b.layer == LayerResource && f.req.service == "kms", f.req.anyResource:
		s.Resource = "*"
	default:
		literal := b.layer == LayerResource && f.sc.Policies.Resource.Len() > 0 && f.sc.Policies.Resource.version != versionVariables
		s.Resource = escapeResource(f.req.Resource, literal)
	}
	for _, c := range b.conds {
		if s.Condition == nil {
			s.Condition = conditions{}
		}
		if s.Condition[c.operator] == nil {
			s.Condition[c.operator] = map[string]any{}
		}
		if len(c.values) == 1 {
			s.Condition[c.operator][c.key] = c.values[0]
		} else {
			s.Condition[c.operator][c.key] = c.values
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	return text
}

// why gives the reason for the statement, and the conditions that it does not keep.
func (b *allowBuilder) why() string {
	why := "no statement allows " + b.f.req.Action
	if len(b.dropped) > 0 {
		why += "; the nearest statement also asks for " + strings.Join(b.dropped, ", ") + ", which the request does not carry"
	}
	return why
}

func (f *fixer) principalElement() any {
	c := &f.req.caller
	switch c.kind {
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
