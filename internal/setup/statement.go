package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// Statement is one policy statement of ours. The order of its fields is the
// order in the JSON, and the order in which people read a statement.
type Statement struct {
	Sid       string                                      `json:"Sid"`
	Effect    string                                      `json:"Effect"`
	Principal map[string]policytext.StringList            `json:"Principal,omitempty"`
	Action    policytext.StringList                       `json:"Action"`
	Resource  policytext.StringList                       `json:"Resource,omitempty"`
	Condition map[string]map[string]policytext.StringList `json:"Condition,omitempty"`
}

// Policy is a document of ours, or our part of one that others share.
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

const policyVersion = "2012-10-17"

// Empty reports whether there is no statement.
func (p Policy) Empty() bool { return len(p.Statement) == 0 }

// JSON is the policy, indented, with a newline at the end.
func (p Policy) JSON() ([]byte, error) { return marshal(p) }

// JSON is the statement, indented, with a newline at the end.
func (s Statement) JSON() ([]byte, error) { return marshal(s) }

// signature is all of a statement but its Sid and the named elements: statements
// that agree in it can be one.
func (s Statement) signature(without ...string) string {
	s.Sid = ""
	for _, element := range without {
		switch element {
		case "Action":
			s.Action = nil
		case "Resource":
			s.Resource = nil
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return "" // strings and maps of strings cannot fail
	}
	return string(text)
}

// statementGroup is the statements of one kind that several destinations ask for.
// Those that differ in the merged element only become one statement, whose Sid
// ends with the name of the first destination that asks for it.
type statementGroup struct {
	base   string // the Sid before the destination
	merged string // Action or Resource
	made   []Statement
}

func (f *statementGroup) add(s Statement, sid string) {
	for i := range f.made {
		if f.made[i].signature(f.merged) != s.signature(f.merged) {
			continue
		}
		if f.merged == "Action" {
			f.made[i].Action = union(f.made[i].Action, s.Action)
		} else {
			f.made[i].Resource = union(f.made[i].Resource, s.Resource)
		}
		return
	}
	s.Sid = f.base + sid
	s.Action, s.Resource = slices.Clone(s.Action), slices.Clone(s.Resource)
	f.made = append(f.made, s)
}

// union keeps the order of a, which reads better than the alphabet's.
func union(a, b policytext.StringList) policytext.StringList {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}

func policyOf(groups ...*statementGroup) Policy {
	p := Policy{Version: policyVersion}
	for _, f := range groups {
		p.Statement = append(p.Statement, f.made...)
	}
	return p
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("writing a policy: %w", err)
	}
	return b.Bytes(), nil
}

// compact is v as JSON without white space.
func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}
