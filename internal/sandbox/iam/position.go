package iam

import (
	"encoding/json"
	"strings"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// Where a matched statement stands in its document, as the simulation says it.

type positionXML struct{ Line, Column int }

// sourceText is the text of the policy that a result names.
func sourceText(sc iampolicy.Scenario, layer iampolicy.Layer, name string) string {
	if layer == iampolicy.LayerResource {
		return sc.Policies.Resource.Text()
	}
	lists := [][]iampolicy.NamedPolicy{sc.Policies.Identity}
	if layer == iampolicy.LayerBoundary {
		lists = [][]iampolicy.NamedPolicy{sc.Policies.Boundary}
	}
	for _, list := range lists {
		for _, p := range list {
			if p.Name == name {
				return p.Policy.Text()
			}
		}
	}
	return ""
}

// positions are a statement's first and last character, from its line and column
// in text. AWS counts columns from 1 and names the one after the character. The end
// is the start where the text is not known.
func positions(text string, line, column int) (start, end positionXML) {
	start = positionXML{line, column + 1}
	offset := 0
	for range line - 1 {
		i := strings.IndexByte(text[offset:], '\n')
		if i < 0 {
			return start, start
		}
		offset += i + 1
	}
	if offset += column - 1; offset < 0 || offset >= len(text) {
		return start, start
	}
	decoder := json.NewDecoder(strings.NewReader(text[offset:]))
	var statement json.RawMessage
	if decoder.Decode(&statement) != nil {
		return start, start
	}
	length := int(decoder.InputOffset())
	last := text[:offset+length]
	return start, positionXML{1 + strings.Count(last, "\n"), len(last) - 1 - strings.LastIndexByte(last, '\n') + 1}
}
