package importer

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/brokerd/brokerd/internal/iampolicy"
)

// values are a JSON string, number or boolean, or a list of them.
type values []string

// UnmarshalJSON takes every form that policies come in.
func (v *values) UnmarshalJSON(data []byte) error {
	var list []any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if len(data) > 0 && data[0] == '[' {
		if err := d.Decode(&list); err != nil {
			return err
		}
	} else {
		var one any
		if err := d.Decode(&one); err != nil {
			return err
		}
		list = []any{one}
	}
	*v = nil
	for _, x := range list {
		switch x.(type) {
		case string, bool, json.Number:
			*v = append(*v, fmt.Sprint(x))
		default:
			return fmt.Errorf("a %T where a text belongs", x)
		}
	}
	return nil
}

// who are the principals of a statement, by kind; "*" alone is everybody.
type who map[string]values

// UnmarshalJSON takes "*" as well.
func (w *who) UnmarshalJSON(data []byte) error {
	var kinds map[string]values
	if json.Unmarshal(data, &kinds) == nil {
		*w = kinds
		return nil
	}
	var all values
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	*w = who{"AWS": all}
	return nil
}

// statement is one statement of a document that was read, and that document
// with nothing else in it.
type statement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal who                          `json:"Principal"`
	Action    values                       `json:"Action"`
	Resource  values                       `json:"Resource"`
	Condition map[string]map[string]values `json:"Condition"`

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
		whole, err := json.Marshal(map[string]any{"Version": orDefault(head.Version, "2008-10-17"), "Statement": []json.RawMessage{json.RawMessage(raw)}})
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

// condition gives the values of a key under operators that ask for equality.
func (s *statement) condition(key string) values {
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
