package policytext

import (
	"encoding/json"
	"fmt"
	"strings"
)

// MaxBytes bounds a policy document. The largest policy that AWS stores has 32
// KiB; the rest is white space.
const MaxBytes = 256 << 10

// SyntaxError reports a document that is not JSON, or JSON that AWS refuses.
type SyntaxError struct {
	Line, Column int // of the first wrong byte, both from 1; the column counts bytes
	Path         string
	Message      string
}

// Error returns the message with its place.
func (e *SyntaxError) Error() string {
	if e.Path != "" {
		return fmt.Sprintf("line %d, column %d: %s: %s", e.Line, e.Column, e.Path, e.Message)
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Kind is the type of a JSON value.
type Kind uint8

// The types of JSON values.
const (
	NullNode Kind = iota
	BoolNode
	NumberNode
	StringNode
	ArrayNode
	ObjectNode
)

// String returns the kind with its article, for error messages.
func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// Node is a JSON value with its place in the text: the bytes from Pos to End.
// Text is the decoded string, or the literal of a number or boolean.
type Node struct {
	Kind     Kind
	Pos, End int
	Text     string
	Elems    []Node
	Members  []Member
}

// Member is one member of a JSON object. KeyPos is the offset of its quoted name.
type Member struct {
	Key    string
	KeyPos int
	Value  Node
}

// Get returns the value of a member; nil when the object has none of this name.
func (n *Node) Get(key string) *Node {
	for i := range n.Members {
		if n.Members[i].Key == key {
			return &n.Members[i].Value
		}
	}
	return nil
}

// Place is the line and column of an offset.
func Place(text string, offset int) (line, column int) {
	if offset > len(text) {
		offset = len(text)
	}
	before := text[:offset]
	line = strings.Count(before, "\n") + 1
	column = offset - strings.LastIndexByte(before, '\n')
	return line, column
}

// Find returns the offset of the first member of this name at any depth; -1 when
// there is none.
func (n *Node) Find(key string) int {
	for i := range n.Members {
		if n.Members[i].Key == key {
			return n.Members[i].KeyPos
		}
		if at := n.Members[i].Value.Find(key); at >= 0 {
			return at
		}
	}
	for i := range n.Elems {
		if at := n.Elems[i].Find(key); at >= 0 {
			return at
		}
	}
	return -1
}

// Child returns the object under key and adds an empty one when there is none.
func (n *Node) Child(key string) *Node {
	if c := n.Get(key); c != nil {
		return c
	}
	n.Members = append(n.Members, Member{Key: key, Value: Node{Kind: ObjectNode}})
	return &n.Members[len(n.Members)-1].Value
}

// JSON returns the value as compact JSON, its members in their order.
func (n *Node) JSON() []byte { return n.append(nil) }

func (n *Node) append(b []byte) []byte {
	quote := func(s string) {
		text, err := json.Marshal(s)
		if err == nil {
			b = append(b, text...)
		}
	}
	switch n.Kind {
	case StringNode:
		quote(n.Text)
	case ArrayNode:
		b = append(b, '[')
		for i := range n.Elems {
			if i > 0 {
				b = append(b, ',')
			}
			b = n.Elems[i].append(b)
		}
		b = append(b, ']')
	case ObjectNode:
		b = append(b, '{')
		for i := range n.Members {
			if i > 0 {
				b = append(b, ',')
			}
			quote(n.Members[i].Key)
			b = append(b, ':')
			b = n.Members[i].Value.append(b)
		}
		b = append(b, '}')
	default:
		b = append(b, n.Text...)
	}
	return b
}
