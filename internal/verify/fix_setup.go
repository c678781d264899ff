package verify

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/brokerd/brokerd/internal/iampolicy/awsarn"
	"github.com/brokerd/brokerd/internal/iampolicy/policytext"
	"github.com/brokerd/brokerd/internal/setup"
)

type docKind int

const (
	docTrust docKind = iota
	docIdentity
	docBucket
	docKey
)

// statement returns the Allow statement with action from the policy that setup writes.
func (x *fixes) statement(kind docKind, action string) string {
	if x.dest.Compatible || x.dest.Role == "" {
		return ""
	}
	docs, err := setup.Desired(x.dest, setup.Options{SourcePrincipalARN: awsarn.Role(x.source)})
	if err != nil {
		return ""
	}
	var text []byte
	switch kind {
	case docTrust:
		text = docs.Trust
	case docIdentity:
		text = docs.Identity
	case docBucket:
		text = docs.Bucket
	case docKey:
		text = docs.Key
	}
	var doc struct {
		Statement []json.RawMessage `json:"Statement"`
	}
	if json.Unmarshal(text, &doc) != nil {
		return ""
	}
	for _, raw := range doc.Statement {
		var st struct {
			Effect string                `json:"Effect"`
			Action policytext.StringList `json:"Action"`
		}
		if json.Unmarshal(raw, &st) == nil && st.Effect == "Allow" && slices.Contains(st.Action, action) {
			var out bytes.Buffer
			if json.Indent(&out, raw, "", "  ") == nil {
				return out.String()
			}
		}
	}
	return ""
}

func statementJSON(st map[string]any) string {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return ""
	}
	return string(data)
}
