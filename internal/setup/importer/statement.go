package importer

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// principals are the principals of a statement by kind. "*" alone means everybody.
type principals map[string]policytext.StringList

// UnmarshalJSON takes "*" as well.
func (p *principals) UnmarshalJSON(data []byte) error {
	var kinds map[string]policytext.StringList
	if json.Unmarshal(data, &kinds) == nil {
		*p = kinds
		return nil
	}
	var all policytext.StringList
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	*p = principals{"AWS": all}
	return nil
}

// statement is one statement of a document that was read, and that document
// with nothing else in it.
type statement struct {
	Sid       string                                      `json:"Sid"`
	Effect    string                                      `json:"Effect"`
	Principal principals                                  `json:"Principal"`
	Action    policytext.StringList                       `json:"Action"`
	Resource  policytext.StringList                       `json:"Resource"`
	Condition map[string]map[string]policytext.StringList `json:"Condition"`

	index int
	text  string
	alone *iampolicy.Document
}

// statements reads a document. The engine's reading is the one that counts.
func statements(text string) (*iampolicy.Document, []statement, error) {
	doc, err := iampolicy.Parse([]byte(text))
	if err != nil {
		return nil, nil, err
	}
	var head struct{ Version string }
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		return nil, nil, err
	}
	out := make([]statement, doc.Len())
	for i := range out {
		raw, _, _ := doc.StatementText(i)
		s := &out[i]
		if err := json.Unmarshal([]byte(raw), s); err != nil {
			return nil, nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		whole, err := json.Marshal(
			map[string]any{"Version": orDefault(head.Version, "2008-10-17"), "Statement": []json.RawMessage{json.RawMessage(raw)}},
		)
		if err != nil {
			return nil, nil, err
		}
		if s.alone, err = iampolicy.Parse(whole); err != nil {
			return nil, nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		s.index, s.text = i, raw
	}
	return doc, out, nil
}

func orDefault(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// condition gives the policytext.StringList of a key under operators that ask for equality.
func (s *statement) condition(key string) policytext.StringList {
	for op, keys := range s.Condition {
		switch op {
		case "StringEquals", "StringLike", "ArnEquals", "ArnLike", "ForAnyValue:StringEquals", "ForAnyValue:StringLike":
		default:
			continue
		}
		for k, v := range keys {
			if equalFold(k, key) {
				return v
			}
		}
	}
	return nil
}

// grants returns the first of the actions that the statement names, whatever its
// resources and conditions; "" when it names none.
func (s *statement) grants(actions ...string) string {
	for _, action := range actions {
		for _, pattern := range s.Action {
			if ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(action)); err == nil && ok && len(s.Condition) > 0 {
				return action
			}
		}
	}
	return ""
}
