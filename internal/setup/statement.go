package setup

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// statement is one policy statement. The order of its fields is the order in
// the JSON, and the order in which people read a statement.
type statement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal map[string]string            `json:"Principal,omitempty"`
	Action    any                          `json:"Action"` // a string, or a list of strings
	Resource  any                          `json:"Resource,omitempty"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

// document is one policy.
type document struct {
	Version   string      `json:"Version"`
	Statement []statement `json:"Statement"`
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
