package fixproof

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// vocabulary is every name that documents mention.
type vocabulary struct {
	principals []principal
	keys       []string            // condition keys, as first written
	values     map[string][]string // by lower-case key; wildcards filled in
	statements [][]condition       // the conditions of each statement that has some
	actions    []string            // wildcards filled in
	resources  []string
}

type principal struct{ class, value string }

type condition struct {
	operator, key string
	values        []string
}

// documentsOf lists every document of a set.
func documentsOf(p iampolicy.PolicySet) []*iampolicy.Document {
	var out []*iampolicy.Document
	lists := [][]iampolicy.NamedPolicy{p.Identity, p.Boundary, p.Session, p.VPCEndpoint}
	for _, levels := range [][]iampolicy.LevelPolicies{p.ServiceControl, p.ResourceControl} {
		for _, l := range levels {
			lists = append(lists, l.Policies)
		}
	}
	for _, list := range lists {
		for _, n := range list {
			out = append(out, n.Policy)
		}
	}
	return append(out, p.Resource)
}

// texts is the text of every document, to compare sets.
func texts(p iampolicy.PolicySet) string {
	var b strings.Builder
	for _, d := range documentsOf(p) {
		b.WriteString(d.Text())
		b.WriteByte(0)
	}
	return b.String()
}

// harvest reads the names of all documents of two sets.
func harvest(sets ...iampolicy.PolicySet) *vocabulary {
	v := &vocabulary{values: map[string][]string{}}
	seen := map[string]bool{}
	for _, set := range sets {
		for _, d := range documentsOf(set) {
			text := d.Text()
			if text == "" || seen[text] {
				continue
			}
			seen[text] = true
			root, err := policytext.Read(text, policytext.MaxBytes)
			if err != nil {
				continue
			}
			if list := root.Get("Statement"); list != nil {
				for _, s := range list.Items() {
					v.statement(&s)
				}
			}
		}
	}
	return v
}

func (v *vocabulary) statement(s *policytext.Node) {
	var conditions []condition
	for i := range s.Members {
		m := &s.Members[i]
		switch m.Key {
		case "Principal", "NotPrincipal":
			v.principal(&m.Value)
		case "Action", "NotAction":
			for _, a := range list(&m.Value) {
				if a = fill(a); strings.Contains(a, ":") && !slices.Contains(v.actions, a) {
					v.actions = append(v.actions, a)
				}
			}
		case "Resource", "NotResource":
			for _, r := range list(&m.Value) {
				if r = fill(r); strings.HasPrefix(r, "arn:") && !slices.Contains(v.resources, r) {
					v.resources = append(v.resources, r)
				}
			}
		case "Condition":
			conditions = v.conditions(&m.Value)
		}
	}
	if len(conditions) > 0 {
		v.statements = append(v.statements, conditions)
	}
}

func list(n *policytext.Node) []string {
	out, err := n.Strings()
	if err != nil {
		return nil
	}
	return out
}

func (v *vocabulary) principal(n *policytext.Node) {
	add := func(class string, values []string) {
		for _, value := range values {
			if p := (principal{class, value}); !slices.Contains(v.principals, p) {
				v.principals = append(v.principals, p)
			}
		}
	}
	if n.Kind != policytext.ObjectNode {
		add("AWS", list(n))
		return
	}
	for i := range n.Members {
		add(n.Members[i].Key, list(&n.Members[i].Value))
	}
}

func (v *vocabulary) conditions(n *policytext.Node) []condition {
	var out []condition
	for i := range n.Members {
		operator := &n.Members[i]
		for j := range operator.Value.Members {
			m := &operator.Value.Members[j]
			c := condition{operator: operator.Key, key: m.Key}
			literal := strings.Contains(operator.Key, "StringEquals") || strings.Contains(operator.Key, "StringNotEquals")
			for _, value := range list(&m.Value) {
				if !literal || strings.Contains(value, "${") {
					value = fill(value)
				}
				if value != "" {
					c.values = append(c.values, value)
				}
			}
			out = append(out, c)
			v.key(c)
		}
	}
	return out
}

func (v *vocabulary) key(c condition) {
	lower := strings.ToLower(c.key)
	if _, known := v.values[lower]; !known {
		v.keys = append(v.keys, c.key)
		v.values[lower] = nil
	}
	if strings.HasSuffix(c.operator, "Null") {
		return // its values are not values of the key
	}
	for _, value := range c.values {
		if list := v.values[lower]; len(list) < 4 && !slices.Contains(list, value) {
			v.values[lower] = append(list, value)
		}
	}
}

// fill makes a value that a pattern matches: wildcards become a letter, a block
// of addresses its first address. A value with a variable gives none.
func fill(pattern string) string {
	if strings.Contains(pattern, "${") {
		return ""
	}
	if p, err := netip.ParsePrefix(pattern); err == nil {
		return p.Addr().Next().String()
	}
	if pattern == "*" {
		return "x"
	}
	return strings.NewReplacer("*", "x", "?", "x").Replace(pattern)
}
