package edit

import (
	"regexp"
	"strconv"
	"strings"
)

// node is a piece of YAML: a scalar, a mapping or a list. It can be written in
// lines or in brackets, as the text around it asks for.
type node struct {
	text    string // a scalar's value, before any quoting
	literal bool   // text stands as it is: numbers, true, durations
	entries []entry
	items   []node
}

// entry is one key of a mapping.
type entry struct {
	key     string
	value   node
	comment string // above the key, in lines only
}

func text(s string) node              { return node{text: s} }
func literal(s string) node           { return node{text: s, literal: true} }
func mapping(entries ...entry) node   { return node{entries: entries} }
func list(items ...node) node         { return node{items: items} }
func (n node) scalar() bool           { return len(n.entries) == 0 && len(n.items) == 0 }
func (n node) short() bool            { return n.scalar() || (len(n.items) > 0 && n.flat()) }
func pair(key, value string) entry    { return entry{key: key, value: text(value)} }
func (e entry) noted(s string) entry  { e.comment = s; return e }
func (n *node) add(entries ...entry)  { n.entries = append(n.entries, entries...) }
func texts(values []string) (ns node) { return list(each(values, text)...) }

func each(values []string, f func(string) node) []node {
	out := make([]node, len(values))
	for i, v := range values {
		out[i] = f(v)
	}
	return out
}

// flat says that every item is a scalar.
func (n node) flat() bool {
	for _, item := range n.items {
		if !item.scalar() {
			return false
		}
	}
	return true
}

// lines writes a mapping with one key a line, each line with its indentation. A comment
// stands above its key, so that no line is wider than its key and value, or its comment.
func (n node) lines(indent int) []string {
	pad := strings.Repeat(" ", indent)
	var out []string
	for _, e := range n.entries {
		if e.comment != "" {
			out = append(out, pad+"# "+e.comment)
		}
		key := pad + quoted(e.key, plainInLines) + ":"
		switch {
		case e.value.short():
			out = append(out, key+" "+e.value.inline(plainInLines))
		case len(e.value.items) > 0:
			out = append(out, key)
			for _, item := range e.value.items {
				out = append(out, item.item(indent+2)...)
			}
		default:
			out = append(out, key)
			out = append(out, e.value.lines(indent+2)...)
		}
	}
	return out
}

// item writes a mapping as an item of a list.
func (n node) item(indent int) []string {
	lines := n.lines(indent + 2)
	lines[0] = lines[0][:indent] + "- " + lines[0][indent+2:]
	return lines
}

// flow writes n in brackets, on one line.
func (n node) flow() string { return n.inline(plainInBrackets) }

func (n node) inline(plain *regexp.Regexp) string {
	switch {
	case len(n.items) > 0:
		parts := make([]string, len(n.items))
		for i, item := range n.items {
			parts[i] = item.inline(plainInBrackets)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case len(n.entries) > 0:
		parts := make([]string, len(n.entries))
		for i, e := range n.entries {
			parts[i] = e.flow()
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case n.literal:
		return n.text
	}
	return quoted(n.text, plain)
}

func (e entry) flow() string { return quoted(e.key, plainInBrackets) + ": " + e.value.flow() }

var (
	plainInLines    = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@+=:{}-]*$`)
	plainInBrackets = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@+=-]*$`)
	meansMore       = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n|\.inf|\.nan)$`)
)

// quoted writes a scalar: plain where YAML reads it as this text and nothing else,
// in double quotes otherwise.
func quoted(s string, plain *regexp.Regexp) string {
	if plain.MatchString(s) && !meansMore.MatchString(s) && !strings.HasSuffix(s, ":") {
		return s
	}
	return strconv.Quote(s)
}
