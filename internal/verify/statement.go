package verify

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// statementParts holds the elements of a statement, in the usual order.
type statementParts struct {
	Sid          string          `json:"Sid,omitempty"`
	Effect       string          `json:"Effect"`
	Principal    json.RawMessage `json:"Principal,omitempty"`
	NotPrincipal json.RawMessage `json:"NotPrincipal,omitempty"`
	Action       json.RawMessage `json:"Action,omitempty"`
	NotAction    json.RawMessage `json:"NotAction,omitempty"`
	Resource     json.RawMessage `json:"Resource,omitempty"`
	NotResource  json.RawMessage `json:"NotResource,omitempty"`
	// Condition by operator and key.
	Condition map[string]map[string]json.RawMessage `json:"Condition,omitempty"`
}

func parseStatement(text string) statementParts {
	var out statementParts
	_ = json.Unmarshal([]byte(text), &out) // the engine has parsed it before
	return out
}

// keys returns the condition keys of a statement in lower case, sorted.
func (s statementParts) keys() []string {
	var out []string
	for _, keys := range s.Condition {
		for k := range keys {
			if k = strings.ToLower(k); !slices.Contains(out, k) {
				out = append(out, k)
			}
		}
	}
	slices.Sort(out)
	return out
}

// values returns the values of a condition key.
func (s statementParts) values(key string) []string {
	for _, keys := range s.Condition {
		for k, raw := range keys {
			if strings.EqualFold(k, key) {
				var out policytext.StringList
				if json.Unmarshal(raw, &out) == nil {
					return out
				}
			}
		}
	}
	return nil
}

// except adds the role to the callers that a Deny statement does not apply to.
func (s *statementParts) except(role string) {
	operator, key := "ArnNotEquals", "aws:PrincipalArn"
	for k := range s.Condition[operator] { // the key in the spelling of the statement
		if strings.EqualFold(k, key) {
			key = k
		}
	}
	var list policytext.StringList
	if raw, ok := s.Condition[operator][key]; ok && json.Unmarshal(raw, &list) != nil {
		return
	}
	data, err := json.Marshal(append(list, role))
	if err != nil {
		return
	}
	if s.Condition == nil {
		s.Condition = map[string]map[string]json.RawMessage{}
	}
	if s.Condition[operator] == nil {
		s.Condition[operator] = map[string]json.RawMessage{}
	}
	s.Condition[operator][key] = data
}

// principalsOf lists the AWS principals of a statement.
func principalsOf(s statementParts) []string {
	var classes map[string]policytext.StringList
	if json.Unmarshal(s.Principal, &classes) == nil {
		return classes["AWS"]
	}
	return nil
}
