package verify

import (
	"bytes"
	"encoding/json"
	"strings"

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
	doc, err := policytext.ReadDocument(string(text))
	if err != nil {
		return ""
	}
	for i := range doc.Statements() {
		if st := policytext.ReadElements(doc.Raw(i)); st.Has("Effect", "Allow") && st.Has("Action", strings.ToLower(action)) {
			var out bytes.Buffer
			if json.Indent(&out, []byte(doc.Raw(i)), "", "  ") == nil {
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
