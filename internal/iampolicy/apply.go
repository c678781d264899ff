package iampolicy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Apply makes the changes of fixes in a copy of the scenario. The fixes of one
// Result belong together: their indexes count in the documents as evaluated.
func Apply(sc Scenario, fixes []Fix) (Scenario, error) { return apply(sc, fixes, false) }

// noStatement stands in for a removed statement while indexes must not move.
const noStatement = `{"Effect":"Deny","Principal":"*","Action":"none:None","Resource":"*"}`

func apply(sc Scenario, fixes []Fix, keepIndexes bool) (Scenario, error) {
	var edits []Fix
	for _, f := range fixes {
		switch f.Kind {
		case ChangeRequest:
			sc.Request.Context = withKeys(sc.Request.Context, f.Context)
		case ChangeSetting:
			if f.Setting != "restrict_public_buckets=false" || sc.PublicAccessBlock == nil {
				return sc, fmt.Errorf("applying a fix: unknown setting %q", f.Setting)
			}
			block := *sc.PublicAccessBlock
			block.RestrictPublicBuckets = false
			sc.PublicAccessBlock = &block
		case AddStatement, ReplaceStatement, RemoveStatement:
			edits = append(edits, f)
		default:
			return sc, fmt.Errorf("applying a fix: unknown kind %q", f.Kind)
		}
	}
	// Removals last and from the end, so that indexes hold.
	slices.SortStableFunc(edits, func(a, b Fix) int {
		ra, rb := a.Kind == RemoveStatement, b.Kind == RemoveStatement
		switch {
		case ra && rb:
			return b.Index - a.Index
		case ra:
			return 1
		case rb:
			return -1
		}
		return 0
	})
	for _, f := range edits {
		if err := sc.Policies.edit(f, keepIndexes); err != nil {
			return sc, fmt.Errorf("applying a fix to %s: %w", f.Layer, err)
		}
	}
	return sc, nil
}

func (p *PolicySet) edit(f Fix, keepIndexes bool) error {
	var list *[]NamedPolicy
	switch f.Layer {
	case LayerResource:
		d, err := p.Resource.edit(f, keepIndexes)
		p.Resource = d
		return err
	case LayerIdentity:
		list = &p.Identity
	case LayerBoundary:
		list = &p.Boundary
	case LayerSession:
		list = &p.Session
	case LayerVPCEndpoint:
		list = &p.VPCEndpoint
	case LayerSCP, LayerRCP:
		levels := &p.ServiceControl
		if f.Layer == LayerRCP {
			levels = &p.ResourceControl
		}
		*levels = slices.Clone(*levels)
		if f.LevelIndex < 0 || f.LevelIndex >= len(*levels) {
			return fmt.Errorf("no level %d %q", f.LevelIndex, f.Level)
		}
		list = &(*levels)[f.LevelIndex].Policies
	default:
		return fmt.Errorf("layer %q has no statements", f.Layer)
	}
	*list = slices.Clone(*list)
	if f.Kind == AddStatement {
		d, err := (*Document)(nil).edit(f, keepIndexes)
		*list = append(*list, NamedPolicy{Name: "added", Policy: d})
		return err
	}
	if f.Document < 0 || f.Document >= len(*list) {
		return fmt.Errorf("no policy %d", f.Document)
	}
	d, err := (*list)[f.Document].Policy.edit(f, keepIndexes)
	(*list)[f.Document].Policy = d
	return err
}

// edit gives the changed document; the old one stays as it is.
func (d *Document) edit(f Fix, keepIndexes bool) (*Document, error) {
	version := versionVariables
	var texts []string
	if d != nil {
		version = d.version
		for i := range d.statements {
			texts = append(texts, d.text[d.statements[i].start:d.statements[i].end])
		}
	}
	if f.Kind == AddStatement {
		texts = append(texts, string(f.Statement))
	} else {
		switch {
		case f.Index < 0 || f.Index >= len(texts):
			return d, fmt.Errorf("no statement %d", f.Index)
		case f.Kind == ReplaceStatement:
			texts[f.Index] = string(f.Statement)
		case keepIndexes:
			texts[f.Index] = noStatement
		default:
			texts = slices.Delete(texts, f.Index, f.Index+1)
		}
	}
	var b strings.Builder
	b.WriteByte('{')
	if version != "" {
		b.WriteString(`"Version":"` + version + `",`)
	}
	b.WriteString(`"Statement":[` + strings.Join(texts, ",") + `]}`)
	return Parse([]byte(b.String()))
}

// exemptPrincipal adds to a statement the condition that the caller is not arn.
func exemptPrincipal(text, arn string) (json.RawMessage, bool) {
	n, err := readTree(text, maxDocumentBytes)
	if err != nil || n.kind != objectNode {
		return nil, false
	}
	conditions := n.child("Condition")
	keys := conditions.child("ArnNotEquals")
	value := node{kind: stringNode, text: arn}
	for i := range keys.members {
		if m := &keys.members[i]; strings.EqualFold(m.key, "aws:PrincipalArn") {
			if m.value.kind != arrayNode {
				m.value = node{kind: arrayNode, elems: []node{m.value}}
			}
			m.value.elems = append(m.value.elems, value)
			return json.RawMessage(n.append(nil)), true
		}
	}
	keys.members = append(keys.members, member{key: "aws:PrincipalArn", value: value})
	return json.RawMessage(n.append(nil)), true
}

// child gives the object under key, made when it is not there.
func (n *node) child(key string) *node {
	if c := n.member(key); c != nil {
		return c
	}
	n.members = append(n.members, member{key: key, value: node{kind: objectNode}})
	return &n.members[len(n.members)-1].value
}

// append writes the value as JSON, in its order.
func (n *node) append(b []byte) []byte {
	quote := func(s string) {
		text, err := json.Marshal(s)
		if err == nil {
			b = append(b, text...)
		}
	}
	switch n.kind {
	case stringNode:
		quote(n.text)
	case arrayNode:
		b = append(b, '[')
		for i := range n.elems {
			if i > 0 {
				b = append(b, ',')
			}
			b = n.elems[i].append(b)
		}
		b = append(b, ']')
	case objectNode:
		b = append(b, '{')
		for i := range n.members {
			if i > 0 {
				b = append(b, ',')
			}
			quote(n.members[i].key)
			b = append(b, ':')
			b = n.members[i].value.append(b)
		}
		b = append(b, '}')
	default:
		b = append(b, n.text...)
	}
	return b
}
