package policytext

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Elements are the values of a statement by element: "Effect", "Action",
// "Principal.AWS", "Condition.StringEquals.kms:viaservice". Actions and condition
// keys are in lower case, values sorted. Two statements with equal elements mean
// the same. The Sid is not among them.
type Elements map[string][]string

// ReadElements reads a statement. It returns nil for a text that is not a
// statement; nil is equal to no Elements.
func ReadElements(statement string) Elements {
	n, err := Read(statement, MaxBytes)
	if err != nil || n.Kind != ObjectNode {
		return nil
	}
	e := Elements{}
	for i := range n.Members {
		m := &n.Members[i]
		ok := true
		switch m.Key {
		case "Sid":
		case "Condition":
			ok = e.conditions(&m.Value)
		case "Principal", "NotPrincipal":
			ok = e.principals(m)
		default:
			ok = e.add(m.Key, &m.Value)
		}
		if !ok {
			return nil
		}
	}
	return e
}

func (e Elements) conditions(n *Node) bool {
	if n.Kind != ObjectNode {
		return false
	}
	for i := range n.Members {
		operator := &n.Members[i]
		if operator.Value.Kind != ObjectNode {
			return false
		}
		for j := range operator.Value.Members {
			key := &operator.Value.Members[j]
			if !e.add("Condition."+operator.Key+"."+strings.ToLower(key.Key), &key.Value) {
				return false
			}
		}
	}
	return true
}

// principals reads "*" and {"AWS": "*"} as the same.
func (e Elements) principals(m *Member) bool {
	if m.Value.Kind != ObjectNode {
		return e.add(m.Key+".AWS", &m.Value)
	}
	for i := range m.Value.Members {
		if class := &m.Value.Members[i]; !e.add(m.Key+"."+class.Key, &class.Value) {
			return false
		}
	}
	return true
}

func (e Elements) add(element string, n *Node) bool {
	values, err := n.Strings()
	if err != nil {
		return false
	}
	if element == "Action" || element == "NotAction" {
		for i := range values {
			values[i] = strings.ToLower(values[i])
		}
	}
	values = append(values, e[element]...)
	slices.Sort(values)
	e[element] = slices.Compact(values)
	return true
}

// Equal reports whether two statements mean the same.
func (e Elements) Equal(other Elements) bool {
	return e != nil && other != nil && maps.EqualFunc(e, other, slices.Equal)
}

// Has reports whether an element holds a value.
func (e Elements) Has(element, value string) bool { return slices.Contains(e[element], value) }

// ElementChange is the difference of one element between two statements, such as
// "Action" or "Condition.StringEquals.kms:ViaService".
type ElementChange struct {
	Element string   `json:"element"`
	Removed []string `json:"removed,omitempty"`
	Added   []string `json:"added,omitempty"`
}

// Differences lists the values that two statements do not share, in the order in
// which people read a statement. Either text may be empty. Actions and condition
// keys keep the case in which the statements write them.
func Differences(before, after string) []ElementChange {
	b, a := ReadElements(before), ReadElements(after)
	spelling := map[string]string{}
	spell(spelling, before)
	spell(spelling, after)
	names := slices.Collect(maps.Keys(b))
	for name := range a {
		if _, both := b[name]; !both {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(x, y string) int { return cmp.Or(rank(x)-rank(y), strings.Compare(x, y)) })
	var out []ElementChange
	for _, name := range names {
		c := ElementChange{Element: name, Removed: without(b[name], a[name]), Added: without(a[name], b[name])}
		if len(c.Removed)+len(c.Added) == 0 {
			continue
		}
		for _, list := range [][]string{c.Removed, c.Added} {
			for i, v := range list {
				if s, ok := spelling[v]; ok && strings.HasSuffix(name, "Action") {
					list[i] = s
				}
			}
		}
		if s, ok := spelling[name]; ok {
			c.Element = s
		}
		out = append(out, c)
	}
	return out
}

// spell notes how a statement writes its actions and condition keys.
func spell(into map[string]string, statement string) {
	n, err := Read(statement, MaxBytes)
	if err != nil {
		return
	}
	for _, element := range []string{"Action", "NotAction"} {
		if list := n.Get(element); list != nil {
			values, err := list.Strings()
			if err != nil {
				continue
			}
			for _, v := range values {
				into[strings.ToLower(v)] = v
			}
		}
	}
	conditions := n.Get("Condition")
	if conditions == nil {
		return
	}
	for i := range conditions.Members {
		operator := &conditions.Members[i]
		for j := range operator.Value.Members {
			key := operator.Value.Members[j].Key
			into["Condition."+operator.Key+"."+strings.ToLower(key)] = "Condition." + operator.Key + "." + key
		}
	}
}

// rank is the place of an element in a statement as people read it.
func rank(element string) int {
	head, _, _ := strings.Cut(element, ".")
	at := slices.Index([]string{"Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource"}, head)
	if at < 0 {
		return 9 // conditions, and elements that AWS may add
	}
	return at
}

func without(list, others []string) []string {
	var out []string
	for _, v := range list {
		if !slices.Contains(others, v) {
			out = append(out, v)
		}
	}
	return out
}
