package verify

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
)

// statementParts is a statement taken apart, in the order in which people read it.
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

// keys are the condition keys of a statement, in small letters and sorted.
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

// values are those that a statement has for a condition key.
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

// rename puts another value into a StringNotEquals on a key; false when there is none.
func (s statementParts) rename(key, value string) bool {
	for operator, keys := range s.Condition {
		for k := range keys {
			if strings.HasPrefix(operator, "StringNotEquals") && strings.EqualFold(k, key) {
				keys[k] = json.RawMessage(`"` + value + `"`)
				return true
			}
		}
	}
	return false
}

// except adds the role to whom a statement does not apply.
func (s *statementParts) except(role string) {
	const operator, key = "ArnNotEquals", "aws:PrincipalArn"
	var list policytext.StringList
	if keys := s.Condition[operator]; keys != nil {
		_ = json.Unmarshal(keys[key], &list)
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

// principalsOf lists the principals of a statement.
func principalsOf(s statementParts) []string {
	var classes map[string]policytext.StringList
	if json.Unmarshal(s.Principal, &classes) == nil {
		return classes["AWS"]
	}
	return nil
}
