package iampolicy

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// versionVariables is the version of the language that has policy variables.
const versionVariables = "2012-10-17"

// Parse reads a policy document. It takes what AWS takes: one statement or a
// list, one string or a list, and any text in a string. A *policytext.SyntaxError with the
// place of the offence is returned for what AWS refuses whatever the policy is
// for: broken JSON, duplicate keys, unknown elements and operators, wrong types.
// What depends on the use of the policy is left to Lint.
func Parse(data []byte) (*Document, error) {
	text := string(data)
	root, err := policytext.Read(text, policytext.MaxBytes)
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
	line, column := policytext.Place(p.text, at)
	return &policytext.SyntaxError{Line: line, Column: column, Path: p.path, Message: fmt.Sprintf(format, args...)}
}

func (p *parser) document(root *policytext.Node) error {
	if root.Kind != policytext.ObjectNode {
		return p.fail(root.Pos, "a policy is an object, not %s", root.Kind)
	}
	var statements *policytext.Node
	for i := range root.Members {
		m := &root.Members[i]
		p.path = m.Key
		switch m.Key {
		case "Version":
			if m.Value.Kind != policytext.StringNode || m.Value.Text != versionVariables && m.Value.Text != "2008-10-17" {
				return p.fail(m.Value.Pos, "the version is %q or %q", versionVariables, "2008-10-17")
			}
			p.doc.version = m.Value.Text
		case "Id":
			if m.Value.Kind != policytext.StringNode {
				return p.fail(m.Value.Pos, "want a string, not %s", m.Value.Kind)
			}
		case "Statement":
			statements = &m.Value
		default:
			p.path = ""
			return p.unknown(m, "Version", "Id", "Statement")
		}
	}
	p.path = ""
	if statements == nil {
		return p.fail(root.Pos, "the element Statement is missing")
	}
	p.line = 1
	switch statements.Kind {
	case policytext.ObjectNode:
		p.doc.statements = make([]statement, 1)
		return p.statement(statements, &p.doc.statements[0], "Statement")
	case policytext.ArrayNode:
		p.doc.statements = make([]statement, len(statements.Elems))
		for i := range statements.Elems {
			p.doc.statements[i].index = i
			if err := p.statement(&statements.Elems[i], &p.doc.statements[i], "Statement["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return nil
	}
	p.path = "Statement"
	return p.fail(statements.Pos, "want a statement or a list of statements, not %s", statements.Kind)
}

// unknown reports an element that does not exist, with the one that was meant.
func (p *parser) unknown(m *policytext.Member, known ...string) error {
	for _, k := range known {
		if strings.EqualFold(k, m.Key) {
			return p.fail(m.KeyPos, "unknown element %q; it is spelled %q", m.Key, k)
		}
	}
	return p.fail(m.KeyPos, "unknown element %q; known are %s", m.Key, strings.Join(known, ", "))
}

func (p *parser) statement(n *policytext.Node, s *statement, path string) error {
	p.path = path
	if n.Kind != policytext.ObjectNode {
		return p.fail(n.Pos, "a statement is an object, not %s", n.Kind)
	}
	s.line, s.column = p.place(n.Pos)
	s.start, s.end = n.Pos, n.End
	vars := p.doc.version == versionVariables
	effect := false
	for i := range n.Members {
		m := &n.Members[i]
		v := &m.Value
		p.path = path + "." + m.Key
		var err error
		switch m.Key {
		case "Sid":
			if v.Kind != policytext.StringNode {
				return p.fail(v.Pos, "want a string, not %s", v.Kind)
			}
			s.sid = v.Text
		case "Effect":
			if v.Kind != policytext.StringNode || v.Text != "Allow" && v.Text != "Deny" {
				return p.fail(v.Pos, `the effect is "Allow" or "Deny"`)
			}
			effect, s.deny = true, v.Text == "Deny"
		case "Principal", "NotPrincipal":
			if s.hasPrincipal {
				return p.fail(m.KeyPos, "a statement has Principal or NotPrincipal, not both")
			}
			s.hasPrincipal, s.notPrincipal = true, m.Key == "NotPrincipal"
			err = p.principals(v, s)
		case "Action", "NotAction":
			if s.hasAction {
				return p.fail(m.KeyPos, "a statement has Action or NotAction, not both")
			}
			s.hasAction, s.notAction = true, m.Key == "NotAction"
			if s.rawActions, err = p.strings(v); err == nil {
				s.actions = make([]string, len(s.rawActions))
				for i, a := range s.rawActions {
					s.actions[i] = compileAction(a)
				}
			}
		case "Resource", "NotResource":
			if s.hasResource {
				return p.fail(m.KeyPos, "a statement has Resource or NotResource, not both")
			}
			s.hasResource, s.notResource = true, m.Key == "NotResource"
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
		return p.fail(n.Pos, "the element Effect is missing")
	case !s.hasAction:
		return p.fail(n.Pos, "the element Action is missing")
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
func (p *parser) strings(n *policytext.Node) ([]string, error) {
	switch n.Kind {
	case policytext.StringNode:
		return []string{n.Text}, nil
	case policytext.ArrayNode:
		out := make([]string, len(n.Elems))
		for i := range n.Elems {
			if n.Elems[i].Kind != policytext.StringNode {
				return nil, p.fail(n.Elems[i].Pos, "want a string, not %s", n.Elems[i].Kind)
			}
			out[i] = n.Elems[i].Text
		}
		return out, nil
	}
	return nil, p.fail(n.Pos, "want a string or a list of strings, not %s", n.Kind)
}

func (p *parser) principals(n *policytext.Node, s *statement) error {
	switch n.Kind {
	case policytext.StringNode:
		if n.Text != "*" {
			return p.fail(n.Pos, `a principal is "*" or an object such as {"AWS": %q}`, n.Text)
		}
		s.principals, s.rawPrincipal = []principal{{kind: principalAny, raw: "*"}}, []string{"*"}
		return nil
	case policytext.ObjectNode:
	default:
		return p.fail(n.Pos, `a principal is "*" or an object, not %s`, n.Kind)
	}
	path := p.path
	for i := range n.Members {
		m := &n.Members[i]
		switch m.Key {
		case "AWS", "Service", "Federated", "CanonicalUser":
		default:
			return p.unknown(m, "AWS", "Service", "Federated", "CanonicalUser")
		}
		p.path = path + "." + m.Key
		values, err := p.strings(&m.Value)
		if err != nil {
			return err
		}
		for _, v := range values {
			s.principals = append(s.principals, compilePrincipal(m.Key, v))
			s.rawPrincipal = append(s.rawPrincipal, v)
		}
		p.path = path
	}
	return nil
}

func (p *parser) conditions(n *policytext.Node, s *statement, vars bool) error {
	if n.Kind != policytext.ObjectNode {
		return p.fail(n.Pos, "want an object, not %s", n.Kind)
	}
	path := p.path
	for i := range n.Members {
		m := &n.Members[i]
		op, set, ifExists, ok := parseOperator(m.Key)
		if !ok {
			return p.fail(m.KeyPos, "unknown condition operator %q%s", m.Key, suggestOperator(m.Key))
		}
		p.path = path + "." + m.Key
		if m.Value.Kind != policytext.ObjectNode {
			return p.fail(m.Value.Pos, "want an object of condition keys, not %s", m.Value.Kind)
		}
		for j := range m.Value.Members {
			k := &m.Value.Members[j]
			c := condition{operator: m.Key, key: k.Key, op: op, set: set, ifExists: ifExists}
			c.lookup = lookupKey(k.Key)
			var err error
			if c.want, err = p.scalars(&k.Value); err != nil {
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
func (p *parser) scalars(n *policytext.Node) ([]string, error) {
	list := n.Items()
	out := make([]string, len(list))
	for i := range list {
		switch list[i].Kind {
		case policytext.StringNode, policytext.NumberNode, policytext.BoolNode:
			out[i] = list[i].Text
		default:
			return nil, p.fail(list[i].Pos, "want a string, a number, a boolean, or a list of them, not %s", list[i].Kind)
		}
	}
	return out, nil
}
