package iampolicy

import (
	"fmt"
	"strconv"
	"strings"
)

// versionVariables is the version of the language that has policy variables.
const versionVariables = "2012-10-17"

// Parse reads a policy document. It takes what AWS takes: one statement or a
// list, one string or a list, and any text in a string. A *SyntaxError with the
// place of the offence is returned for what AWS refuses whatever the policy is
// for: broken JSON, duplicate keys, unknown elements and operators, wrong types.
// What depends on the use of the policy is left to Lint.
func Parse(data []byte) (*Document, error) {
	text := string(data)
	root, err := readTree(text, maxDocumentBytes)
	if err != nil {
		return nil, err
	}
	d := &Document{text: text}
	p := parser{text: text, doc: d}
	if err := p.document(root); err != nil {
		return nil, err
	}
	return d, nil
}

type parser struct {
	text string
	doc  *Document
	path string
	// Places are counted from the last one, so that a document is walked once.
	offset, line, lineStart int
}

func (p *parser) fail(at int, format string, args ...any) error {
	line, column := place(p.text, at)
	return &SyntaxError{Line: line, Column: column, Path: p.path, Message: fmt.Sprintf(format, args...)}
}

func (p *parser) document(root *node) error {
	if root.kind != objectNode {
		return p.fail(root.pos, "a policy is an object, not %s", root.kind)
	}
	var statements *node
	for i := range root.members {
		m := &root.members[i]
		p.path = m.key
		switch m.key {
		case "Version":
			if m.value.kind != stringNode || m.value.text != versionVariables && m.value.text != "2008-10-17" {
				return p.fail(m.value.pos, "the version is %q or %q", versionVariables, "2008-10-17")
			}
			p.doc.version = m.value.text
		case "Id":
			if m.value.kind != stringNode {
				return p.fail(m.value.pos, "want a string, not %s", m.value.kind)
			}
		case "Statement":
			statements = &m.value
		default:
			p.path = ""
			return p.unknown(m, "Version", "Id", "Statement")
		}
	}
	p.path = ""
	if statements == nil {
		return p.fail(root.pos, "the element Statement is missing")
	}
	p.line = 1
	switch statements.kind {
	case objectNode:
		p.doc.statements = make([]statement, 1)
		return p.statement(statements, &p.doc.statements[0], "Statement")
	case arrayNode:
		p.doc.statements = make([]statement, len(statements.elems))
		for i := range statements.elems {
			p.doc.statements[i].index = i
			if err := p.statement(&statements.elems[i], &p.doc.statements[i], "Statement["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return nil
	}
	p.path = "Statement"
	return p.fail(statements.pos, "want a statement or a list of statements, not %s", statements.kind)
}

// unknown reports an element that does not exist, with the one that was meant.
func (p *parser) unknown(m *member, known ...string) error {
	for _, k := range known {
		if strings.EqualFold(k, m.key) {
			return p.fail(m.keyPos, "unknown element %q; it is spelled %q", m.key, k)
		}
	}
	return p.fail(m.keyPos, "unknown element %q; known are %s", m.key, strings.Join(known, ", "))
}

func (p *parser) statement(n *node, s *statement, path string) error {
	p.path = path
	if n.kind != objectNode {
		return p.fail(n.pos, "a statement is an object, not %s", n.kind)
	}
	s.line, s.column = p.place(n.pos)
	s.start, s.end = n.pos, n.end
	vars := p.doc.version == versionVariables
	effect := false
	for i := range n.members {
		m := &n.members[i]
		v := &m.value
		p.path = path + "." + m.key
		var err error
		switch m.key {
		case "Sid":
			if v.kind != stringNode {
				return p.fail(v.pos, "want a string, not %s", v.kind)
			}
			s.sid = v.text
		case "Effect":
			if v.kind != stringNode || v.text != "Allow" && v.text != "Deny" {
				return p.fail(v.pos, `the effect is "Allow" or "Deny"`)
			}
			effect, s.deny = true, v.text == "Deny"
		case "Principal", "NotPrincipal":
			if s.hasPrincipal {
				return p.fail(m.keyPos, "a statement has Principal or NotPrincipal, not both")
			}
			s.hasPrincipal, s.notPrincipal = true, m.key == "NotPrincipal"
			err = p.principals(v, s)
		case "Action", "NotAction":
			if s.hasAction {
				return p.fail(m.keyPos, "a statement has Action or NotAction, not both")
			}
			s.hasAction, s.notAction = true, m.key == "NotAction"
			if s.rawActions, err = p.strings(v); err == nil {
				s.actions = make([]string, len(s.rawActions))
				for i, a := range s.rawActions {
					s.actions[i] = compileAction(a)
				}
			}
		case "Resource", "NotResource":
			if s.hasResource {
				return p.fail(m.keyPos, "a statement has Resource or NotResource, not both")
			}
			s.hasResource, s.notResource = true, m.key == "NotResource"
			if s.rawResources, err = p.strings(v); err == nil {
				s.resources = make([]resourcePattern, len(s.rawResources))
				for i, r := range s.rawResources {
					s.resources[i] = compileResource(r, vars)
				}
			}
		case "Condition":
			err = p.conditions(v, s, vars)
		default:
			p.path = path
			return p.unknown(m, "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
		}
		if err != nil {
			return err
		}
	}
	p.path = path
	switch {
	case !effect:
		return p.fail(n.pos, "the element Effect is missing")
	case !s.hasAction:
		return p.fail(n.pos, "the element Action is missing")
	}
	return nil
}

// place counts lines from the last place asked for: offsets only grow.
func (p *parser) place(at int) (line, column int) {
	for ; p.offset < at; p.offset++ {
		if p.text[p.offset] == '\n' {
			p.line++
			p.lineStart = p.offset + 1
		}
	}
	return p.line, at - p.lineStart + 1
}

// strings reads a string or a list of strings.
func (p *parser) strings(n *node) ([]string, error) {
	switch n.kind {
	case stringNode:
		return []string{n.text}, nil
	case arrayNode:
		out := make([]string, len(n.elems))
		for i := range n.elems {
			if n.elems[i].kind != stringNode {
				return nil, p.fail(n.elems[i].pos, "want a string, not %s", n.elems[i].kind)
			}
			out[i] = n.elems[i].text
		}
		return out, nil
	}
	return nil, p.fail(n.pos, "want a string or a list of strings, not %s", n.kind)
}

func (p *parser) principals(n *node, s *statement) error {
	switch n.kind {
	case stringNode:
		if n.text != "*" {
			return p.fail(n.pos, `a principal is "*" or an object such as {"AWS": %q}`, n.text)
		}
		s.principals, s.rawPrincipal = []principal{{kind: principalAny, raw: "*"}}, []string{"*"}
		return nil
	case objectNode:
	default:
		return p.fail(n.pos, `a principal is "*" or an object, not %s`, n.kind)
	}
	path := p.path
	for i := range n.members {
		m := &n.members[i]
		switch m.key {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return p.unknown(m, "AWS", "Service", "Federated", "CanonicalUser")
		}
		p.path = path + "." + m.key
		values, err := p.strings(&m.value)
		if err != nil {
			return err
		}
		for _, v := range values {
			s.principals = append(s.principals, compilePrincipal(m.key, v))
			s.rawPrincipal = append(s.rawPrincipal, v)
		}
		p.path = path
	}
	return nil
}

func (p *parser) conditions(n *node, s *statement, vars bool) error {
	if n.kind != objectNode {
		return p.fail(n.pos, "want an object, not %s", n.kind)
	}
	path := p.path
	for i := range n.members {
		m := &n.members[i]
		op, set, ifExists, ok := parseOperator(m.key)
		if !ok {
			return p.fail(m.keyPos, "unknown condition operator %q%s", m.key, suggestOperator(m.key))
		}
		p.path = path + "." + m.key
		if m.value.kind != objectNode {
			return p.fail(m.value.pos, "want an object of condition keys, not %s", m.value.kind)
		}
		for j := range m.value.members {
			k := &m.value.members[j]
			c := condition{operator: m.key, key: k.key, op: op, set: set, ifExists: ifExists}
			c.lookup = strings.ToLower(keyPart(k.key)) + k.key[len(keyPart(k.key)):]
			var err error
			if c.want, err = p.scalars(&k.value); err != nil {
				return err
			}
			c.values = make([]conditionValue, len(c.want))
			for i, w := range c.want {
				c.values[i] = compileConditionValue(op.kind, w, vars)
			}
			s.conditions = append(s.conditions, c)
		}
	}
	return nil
}

func suggestOperator(s string) string {
	for name := range operators {
		if strings.EqualFold(name, s) {
			return "; it is spelled " + strconv.Quote(name)
		}
	}
	return ""
}

// scalars reads a string, number or boolean, or a list of them.
func (p *parser) scalars(n *node) ([]string, error) {
	list := []node{*n}
	if n.kind == arrayNode {
		list = n.elems
	}
	out := make([]string, len(list))
	for i := range list {
		switch list[i].kind {
		case stringNode, numberNode, boolNode:
			out[i] = list[i].text
		default:
			return nil, p.fail(list[i].pos, "want a string, a number, a boolean, or a list of them, not %s", list[i].kind)
		}
	}
	return out, nil
}
