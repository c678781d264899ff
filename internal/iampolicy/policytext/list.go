package policytext

import (
	"encoding/json"
	"fmt"
)

// StringList is a list of strings that policies may also write as a single
// string. Numbers and booleans are read as their text: a policy may say true
// without quotes. One string is written without brackets, as AWS writes it.
type StringList []string

// MarshalJSON writes one string without brackets, several as a list.
func (l StringList) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]string(l))
}

// UnmarshalJSON reads a string, a number, a boolean or a list of them.
func (l *StringList) UnmarshalJSON(data []byte) error {
	n, err := Read(string(data), maxListBytes)
	if err != nil {
		return err
	}
	list, err := n.Strings()
	if err != nil {
		return err
	}
	*l = list
	return nil
}

// maxListBytes bounds a list that stands in a document of another kind, such as a scenario.
const maxListBytes = 4 << 20

// Items returns the elements of an array; for any other value the value alone.
func (n *Node) Items() []Node {
	if n.Kind == ArrayNode {
		return n.Elems
	}
	return []Node{*n}
}

// Strings returns the texts of a string, a number, a boolean or a list of them.
func (n *Node) Strings() ([]string, error) {
	items := n.Items()
	out := make([]string, len(items))
	for i := range items {
		switch items[i].Kind {
		case StringNode, NumberNode, BoolNode:
			out[i] = items[i].Text
		default:
			return nil, fmt.Errorf("want a string or a list of strings, not %s", items[i].Kind)
		}
	}
	return out, nil
}
