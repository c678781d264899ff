package setup

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// facts are what a statement says, by element: "Effect", "Action",
// "Principal.AWS", "Condition.StringEquals.kms:viaservice". Two statements with
// the same facts mean the same, however they are written. The Sid is not one.
type facts map[string][]string

// factsOf reads a statement. One that cannot be read has no facts, and equals no other.
func factsOf(raw []byte) facts {
	var elements map[string]json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		return nil
	}
	f := facts{}
	for name, value := range elements {
		switch name {
		case "Sid":
		case "Condition":
			var operators map[string]map[string]scalars
			if json.Unmarshal(value, &operators) != nil {
				return nil
			}
			for operator, keys := range operators {
				for key, values := range keys {
					f.put("Condition."+operator+"."+strings.ToLower(key), values)
				}
			}
		case "Principal", "NotPrincipal":
			var kinds map[string]scalars
			if json.Unmarshal(value, &kinds) != nil {
				var all scalars
				if json.Unmarshal(value, &all) != nil {
					return nil
				}
				kinds = map[string]scalars{"AWS": all} // "*" and {"AWS": "*"} are the same
			}
			for kind, values := range kinds {
				f.put(name+"."+kind, values)
			}
		default:
			var values scalars
			if json.Unmarshal(value, &values) != nil {
				return nil
			}
			if name == "Action" || name == "NotAction" {
				for i := range values {
					values[i] = strings.ToLower(values[i])
				}
			}
			f.put(name, values)
		}
	}
	return f
}

func (f facts) put(element string, values scalars) {
	list := append(f[element], values...)
	slices.Sort(list)
	f[element] = slices.Compact(list)
}

func (f facts) equal(g facts) bool {
	return f != nil && g != nil && maps.EqualFunc(f, g, slices.Equal)
}

// has reports whether an element holds a value.
func (f facts) has(element, value string) bool { return slices.Contains(f[element], value) }

// changes says which values come and go on the way from f to g, in the order in
// which people read a statement. Actions and condition keys keep the case in which
// they are written.
func (f facts) changes(g facts, spelled ...[]byte) []ElementChange {
	spelling := map[string]string{}
	for _, raw := range spelled {
		var st struct {
			Action, NotAction scalars
			Condition         map[string]map[string]json.RawMessage
		}
		if json.Unmarshal(raw, &st) == nil {
			for _, a := range append(st.Action, st.NotAction...) {
				spelling[strings.ToLower(a)] = a
			}
			for operator, keys := range st.Condition {
				for key := range keys {
					spelling["Condition."+operator+"."+strings.ToLower(key)] = "Condition." + operator + "." + key
				}
			}
		}
	}
	names := slices.Sorted(maps.Keys(f))
	for name := range g {
		if _, both := f[name]; !both {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
	var out []ElementChange
	for _, name := range names {
		c := ElementChange{Element: name, Removed: without(f[name], g[name]), Added: without(g[name], f[name])}
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

// rank is the place of an element in a statement.
func rank(element string) int {
	head, _, _ := strings.Cut(element, ".")
	at := slices.Index([]string{"Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource"}, head)
	if at < 0 {
		return 9 // conditions, and what AWS may add
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

// scalars are a JSON string, number or boolean, or a list of them: policies may
// say true without quotes.
type scalars []string

// UnmarshalJSON takes every form.
func (s *scalars) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		list = []json.RawMessage{data}
	}
	for _, raw := range list {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			*s = append(*s, text)
			continue
		}
		var other any
		if err := json.Unmarshal(raw, &other); err != nil {
			return err
		}
		switch other.(type) {
		case bool, float64:
			*s = append(*s, strings.TrimSpace(string(raw)))
		default:
			return &json.UnmarshalTypeError{Value: "object", Field: "value"}
		}
	}
	return nil
}
