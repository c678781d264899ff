package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/goccy/go-yaml"

	"github.com/brokerd/brokerd/internal/setup"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members as they stand.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		var v bytes.Buffer
		e := json.NewEncoder(&v)
		e.SetEscapeHTML(false)
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
		b.Write(bytes.TrimRight(v.Bytes(), "\n"))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// forYAML turns objects into the ordered form of the YAML library.
func forYAML(v any) any {
	switch v := v.(type) {
	case object:
		out := make(yaml.MapSlice, len(v))
		for i, m := range v {
			out[i] = yaml.MapItem{Key: m.key, Value: forYAML(m.value)}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = forYAML(item)
		}
		return out
	}
	return v
}

func toYAML(v any) ([]byte, error) {
	out, err := yaml.MarshalWithOptions(forYAML(v), yaml.Indent(2), yaml.IndentSequence(true), yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return nil, fmt.Errorf("writing a template: %w", err)
	}
	// An empty line of a text is empty: YAML does not ask for its indentation.
	return emptyLines.ReplaceAll(out, nil), nil
}

var emptyLines = regexp.MustCompile(`(?m)^ +$`)

// document is a policy as an object; principal turns every principal into a value.
func document(p setup.Policy, principal func(arn string) any) object {
	statements := make([]any, len(p.Statement))
	for i, s := range p.Statement {
		statements[i] = statementObject(s, principal)
	}
	return object{{"Version", p.Version}, {"Statement", statements}}
}

func statementObject(s setup.Statement, principal func(arn string) any) object {
	out := object{{"Sid", s.Sid}, {"Effect", s.Effect}}
	if len(s.Principal) > 0 {
		var who object
		for _, kind := range sorted(s.Principal) {
			who = append(who, member{kind, oneOrAll(s.Principal[kind], principal)})
		}
		out = append(out, member{"Principal", who})
	}
	asIs := func(v string) any { return v }
	out = append(out, member{"Action", oneOrAll(s.Action, asIs)})
	if len(s.Resource) > 0 {
		out = append(out, member{"Resource", oneOrAll(s.Resource, asIs)})
	}
	if len(s.Condition) > 0 {
		var conditions object
		for _, op := range sorted(s.Condition) {
			var keys object
			for _, key := range sorted(s.Condition[op]) {
				keys = append(keys, member{key, oneOrAll(s.Condition[op][key], asIs)})
			}
			conditions = append(conditions, member{op, keys})
		}
		out = append(out, member{"Condition", conditions})
	}
	return out
}

func oneOrAll(values []string, f func(string) any) any {
	if len(values) == 1 {
		return f(values[0])
	}
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = f(v)
	}
	return out
}
