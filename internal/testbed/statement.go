package testbed

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

type document struct {
	Version   string            `json:"Version,omitempty"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

// AddStatement appends a statement to a policy document. It replaces a statement with the same Sid.
func AddStatement(doc, statement string) (string, error) {
	sid := sidOf([]byte(statement))
	return edit(doc, func(in []json.RawMessage) []json.RawMessage {
		in = slices.DeleteFunc(in, func(s json.RawMessage) bool { return sid != "" && sidOf(s) == sid })
		return append(in, json.RawMessage(statement))
	})
}

// RemoveAllow removes the Allow statements in which text occurs.
func RemoveAllow(doc, text string) (string, error) {
	return edit(doc, func(in []json.RawMessage) []json.RawMessage {
		return slices.DeleteFunc(in, func(s json.RawMessage) bool {
			var st struct {
				Effect string `json:"Effect"`
			}
			return json.Unmarshal(s, &st) == nil && st.Effect == "Allow" && strings.Contains(string(s), text)
		})
	})
}

func edit(doc string, change func([]json.RawMessage) []json.RawMessage) (string, error) {
	var d document
	if err := json.Unmarshal([]byte(doc), &d); err != nil {
		return "", fmt.Errorf("reading the policy: %w", err)
	}
	d.Statement = change(d.Statement)
	out, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return "", fmt.Errorf("writing the policy: %w", err)
	}
	return string(out), nil
}

func sidOf(statement []byte) string {
	var st struct {
		Sid string `json:"Sid"`
	}
	if json.Unmarshal(statement, &st) != nil {
		return ""
	}
	return st.Sid
}
